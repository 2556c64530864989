"""Small, whole inference requests are answered without ASGI, with the same responses as all others."""

import asyncio
import gzip
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.serving.asgi_harness import GOOD, INFER, LayerHarness
from tests.support.serving.protocol_connection import Answers, Connection, SteppedLoop, chunked, post
from tightrope.service.errors import OverloadedError
from tightrope.service.inference.batching.queued_request import QueuedRequest
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.transport.http import uvicorn_protocol
from tightrope.serving.server import KEEP_ALIVE_SECONDS as IDLE_SECONDS


def ask(world: LayerHarness, *pieces: bytes, count: int = 1) -> tuple[Answers, Connection]:
    """Send these bytes, and return the responses and the connection."""

    async def run() -> tuple[Answers, Connection]:
        connection = Connection(world.layer)
        for piece in pieces:
            connection.protocol.data_received(piece)
        return await connection.answers(count), connection

    return asyncio.run(run())


def test_usual_request_is_answered_without_asgi(world: LayerHarness) -> None:
    """The response is the one that ASGI gives."""
    quick, connection = ask(world, post())
    slow, other = ask(world, chunked())
    assert (connection.slow, other.slow) == (0, 1)
    assert (quick.statuses, quick.documents) == (slow.statuses, slow.documents)
    assert quick.headers[0].keys() == slow.headers[0].keys()
    assert quick.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (chunked(), 200),
        (post(gzip.compress(GOOD), Content_Encoding="gzip"), 200),
        (post(GOOD + b" " * LARGE_BYTES), 200),
        (post(version="1.0"), 200),
        (post(Expect="100-continue"), 200),
        (post(path=INFER.replace("m", "%6d", 1)), 200),
        (post(path=INFER + "?a=b"), 200),
        (post(path="/v1/other"), 299),
        (post(b"", method="GET"), 299),
    ],
    ids=["chunked", "compressed", "large", "old", "expects", "escaped", "asks", "elsewhere", "get"],
)
def test_other_requests_take_the_asgi_path(world: LayerHarness, request_: bytes, status: int) -> None:
    """Each for its own reason."""
    answers, connection = ask(world, request_)
    assert connection.slow == 1
    assert answers.statuses[-1] == status


@pytest.mark.parametrize(
    ("body", "path", "status", "words"),
    [
        (b"{", INFER, 400, "not valid JSON"),
        (GOOD.replace(b"FP32", b"FP64"), INFER, 400, "datatype"),
        (GOOD, "/v2/models/nobody/infer", 404, "'nobody'"),
        (GOOD, "/v2/models/m/versions/77/infer", 404, "'77'"),
    ],
)
def test_error_is_the_one_of_the_asgi_path(
    world: LayerHarness, body: bytes, path: str, status: int, words: str
) -> None:
    """With its status and text; the connection goes on."""
    quick, connection = ask(world, post(body, path), post(), count=2)
    slow, _ = ask(world, chunked(body, path))
    assert connection.slow == 0
    assert quick.statuses == [status, 200]
    assert slow.statuses == [status]
    assert words in quick.documents[0]["error"]
    assert quick.documents[0] == slow.documents[0]


def test_paths_of_unknown_models_are_not_cached(world: LayerHarness) -> None:
    """They would fill the memory, or evict the ones in use."""

    async def run() -> tuple[Answers, int, int]:
        connection = Connection(world.layer)
        for number in range(2000):
            connection.protocol.data_received(post(path=f"/v2/models/m/versions/{number + 2}/infer"))
            connection.transport.written = b""
        connection.protocol.data_received(post())
        return await connection.answers(1), connection.slow, len(connection.protocol.heads._models)

    answers, slow, paths = asyncio.run(run())
    assert (answers.statuses, slow, paths) == ([200], 0, 1)


def test_wrong_json_length_is_the_callers_error(world: LayerHarness) -> None:
    """Even one that is not text."""
    for lie, words in (("10000", "has only"), ("-1", "must be a number"), ("\xff", "must be a number")):
        head, body = post(Inference_Header_Content_Length="LIE").split(b"\r\n\r\n", 1)
        answers, connection = ask(world, head.replace(b"LIE", lie.encode("latin-1")) + b"\r\n\r\n" + body)
        assert (answers.statuses, connection.slow) == ([400], 0)
        assert words in answers.documents[0]["error"]


def test_overloaded_batcher_sends_a_retry_delay(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on the ASGI path."""

    def full(*_: object) -> NoReturn:
        raise OverloadedError("7 requests wait already", 1.2)

    monkeypatch.setattr(world.layer.responder.batchers["m"], "submit", full)
    answers, connection = ask(world, post())
    assert (answers.statuses, answers.headers[0]["retry-after"], connection.slow) == ([503], "2", 0)


def test_connection_is_closed_on_request(world: LayerHarness) -> None:
    """The response's header says so."""
    answers, connection = ask(world, post(Connection="close"))
    assert (answers.headers[0]["connection"], connection.transport.closed, connection.slow) == ("close", True, 0)


def test_stopping_server_answers_the_request_under_way(world: LayerHarness) -> None:
    """Then it closes the connection."""

    async def run() -> Answers:
        connection = Connection(world.layer)
        connection.protocol.data_received(post())
        connection.protocol.shutdown()
        assert not connection.transport.closed
        answers = await connection.answers(1)
        assert connection.transport.closed
        return answers

    answers = asyncio.run(run())
    assert (answers.statuses, answers.headers[0]["connection"]) == ([200], "close")


def test_large_response_is_encoded_in_a_thread(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold up the event loop."""
    rows = np.zeros((LARGE_BYTES, 2), np.float32)

    def submit(queued: QueuedRequest) -> None:
        queued.deliver(InferResponse("m", "1", "an-id", {}, {"probabilities": rows}))

    written: list[bool] = []
    real = uvicorn_protocol.encode_or_refuse

    def noticed(request: InferRequest, answer: InferResponse) -> Any:  # noqa: ANN401 - passed through
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            written.append(True)
        return real(request, answer)

    monkeypatch.setattr(world.layer.responder.batchers["m"], "submit", submit)
    monkeypatch.setattr(uvicorn_protocol, "encode_or_refuse", noticed)
    answers, _ = ask(world, post())
    assert written == [True]
    assert len(answers.documents[0]["outputs"][0]["data"]) == rows.size


def test_disconnected_caller_costs_no_run(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its request is dropped from the queue; others are answered."""
    seen: list[int] = []
    real = world.layer.responder.engine.answer
    monkeypatch.setattr(
        world.layer.responder.engine,
        "answer",
        lambda model, items: seen.append(len(items)) or real(model, items),
    )

    async def run() -> Answers:
        gone, stays = Connection(world.layer), Connection(world.layer)
        for connection in (gone, stays):
            connection.protocol.data_received(post())
        gone.protocol.connection_lost(None)
        answers = await stays.answers(1)
        assert gone.transport.written == b""
        return answers

    assert asyncio.run(run()).statuses == [200]
    assert seen == [1]


def test_caller_that_does_not_read_takes_the_asgi_path(world: LayerHarness) -> None:
    """There, responses wait until they can be written, and do not fill the memory."""

    async def run() -> tuple[bytes, Answers, int]:
        connection = Connection(world.layer)
        connection.protocol.pause_writing()
        connection.protocol.data_received(post())
        await asyncio.sleep(0.2)
        before = connection.transport.written
        connection.protocol.resume_writing()
        return before, await connection.answers(1), connection.slow

    before, answers, slow = asyncio.run(run())
    assert (before, answers.statuses, slow) == (b"", [200], 1)


KINDS: dict[str, Callable[[], bytes]] = {
    "usual": post,
    "wrong": lambda: post(b"[]"),
    "chunked": chunked,
    "elsewhere": lambda: post(b"{}", "/v1/other"),
}
STATUSES = {"usual": 200, "wrong": 400, "chunked": 200, "elsewhere": 299}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6), data=st.data())
def test_responses_come_in_order_for_any_split_of_the_bytes(
    world: LayerHarness, kinds: list[str], data: st.DataObject
) -> None:
    """Several requests at once on one connection, in pieces of any size."""
    whole = b"".join(KINDS[kind]() for kind in kinds)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    answers, _ = ask(world, *pieces, count=len(kinds))
    assert answers.statuses == [STATUSES[kind] for kind in kinds]


def test_idle_connection_is_closed(world: LayerHarness) -> None:
    """Not while it is used on either path, nor while a response is awaited."""

    async def run() -> list[bool]:
        connection, closed = Connection(world.layer), []
        clock = SteppedLoop(connection.protocol.loop)
        connection.protocol.loop = clock  # type: ignore[assignment] - its clock is all that differs
        for count, request in enumerate((post(), chunked(), post(), post()), 1):
            connection.protocol.data_received(request)
            clock.seconds += 2 * IDLE_SECONDS
            if not connection.protocol.cycle.response_complete:
                connection.protocol.expire(clock.time())
            await connection.answers(count)
            clock.seconds += 0.9 * IDLE_SECONDS
            connection.protocol.expire(clock.time())
            closed.append(connection.transport.closed)
        clock.seconds += 0.2 * IDLE_SECONDS
        connection.protocol.expire(clock.time())
        return [*closed, connection.transport.closed]

    assert asyncio.run(run()) == [False] * 4 + [True]
