"""Small, whole inference requests are answered without ASGI, all others with it; nobody can tell by the answers."""

import asyncio
import gzip
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.serving.asgi_harness import GOOD, INFER, World
from tests.support.serving.protocol_connection import Answers, Line, chunked, post
from tightrope.service.errors import OverloadedError
from tightrope.service.protocol.rest import InferRequest, InferResponse
from tightrope.service.transport.http import uvicorn_protocol
from tightrope.service.transport.responder import LARGE


def ask(world: World, *pieces: bytes, count: int = 1) -> tuple[Answers, Line]:
    """What comes back for these bytes, and the line they came on."""

    async def run() -> tuple[Answers, Line]:
        line = Line(world.layer)
        for piece in pieces:
            line.protocol.data_received(piece)
        return await line.answers(count), line

    return asyncio.run(run())


def test_usual_request_is_answered_without_asgi(world: World) -> None:
    """And the answer is the one that ASGI would give."""
    quick, line = ask(world, post())
    slow, other = ask(world, chunked())
    assert (line.slow, other.slow) == (0, 1)
    assert (quick.statuses, quick.told) == (slow.statuses, slow.told)
    assert quick.headers[0].keys() == slow.headers[0].keys()
    assert quick.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (chunked(), 200),
        (post(gzip.compress(GOOD), Content_Encoding="gzip"), 200),
        (post(GOOD + b" " * LARGE), 200),
        (post(version="1.0"), 200),
        (post(Expect="100-continue"), 200),
        (post(path=INFER.replace("m", "%6d", 1)), 200),
        (post(path=INFER + "?a=b"), 200),
        (post(path="/v1/other"), 299),
        (post(b"", method="GET"), 299),
    ],
    ids=["chunked", "compressed", "large", "old", "expects", "escaped", "asks", "elsewhere", "get"],
)
def test_unusual_request_goes_uvicorns_own_way(world: World, request_: bytes, status: int) -> None:
    """Whatever it is."""
    answers, line = ask(world, request_)
    assert line.slow == 1
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
def test_mistake_is_told_as_over_asgi(world: World, body: bytes, path: str, status: int, words: str) -> None:
    """The same status and the same text; and the connection goes on."""
    quick, line = ask(world, post(body, path), post(), count=2)
    slow, _ = ask(world, chunked(body, path))
    assert line.slow == 0
    assert quick.statuses == [status, 200]
    assert slow.statuses == [status]
    assert words in quick.told[0]["error"]
    assert quick.told[0] == slow.told[0]


def test_paths_that_callers_make_up_are_not_remembered(world: World) -> None:
    """They would fill the memory, or take the place of those that are asked all the time."""

    async def run() -> tuple[Answers, int, int]:
        line = Line(world.layer)
        for number in range(2000):
            line.protocol.data_received(post(path=f"/v2/models/m/versions/{number + 2}/infer"))
            line.transport.written = b""
        line.protocol.data_received(post())
        return await line.answers(1), line.slow, len(line.protocol.heads._paths)

    answers, slow, paths = asyncio.run(run())
    assert (answers.statuses, slow, paths) == ([200], 0, 1)


def test_header_that_lies_about_its_json_is_a_mistake(world: World) -> None:
    """Even one that is no text."""
    for lie, words in (("10000", "has only"), ("-1", "must be a number"), ("\xff", "must be a number")):
        head, body = post(Inference_Header_Content_Length="LIE").split(b"\r\n\r\n", 1)
        answers, line = ask(world, head.replace(b"LIE", lie.encode("latin-1")) + b"\r\n\r\n" + body)
        assert (answers.statuses, line.slow) == ([400], 0)
        assert words in answers.told[0]["error"]


def test_refused_caller_is_told_when_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As over ASGI."""

    def full(*_: object) -> NoReturn:
        raise OverloadedError("7 requests wait already", 1.2)

    monkeypatch.setattr(world.layer.responder, "put", full)
    answers, line = ask(world, post())
    assert (answers.statuses, answers.headers[0]["retry-after"], line.slow) == ([503], "2", 0)


def test_caller_who_wants_to_leave_is_let_go(world: World) -> None:
    """The header says so, and the connection is closed."""
    answers, line = ask(world, post(Connection="close"))
    assert (answers.headers[0]["connection"], line.transport.closed, line.slow) == ("close", True, 0)


def test_server_that_stops_answers_what_it_has_taken(world: World) -> None:
    """Then it closes; a connection at rest is closed at once."""

    async def run() -> Answers:
        line = Line(world.layer)
        line.protocol.data_received(post())
        line.protocol.shutdown()
        assert not line.transport.closed
        answers = await line.answers(1)
        assert line.transport.closed
        return answers

    answers = asyncio.run(run())
    assert (answers.statuses, answers.headers[0]["connection"]) == ([200], "close")


def test_large_answer_is_written_in_a_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would hold up the event loop."""
    rows = np.zeros((LARGE, 2), np.float32)

    def put(_: object, one: Any) -> None:  # noqa: ANN401 - of fastpath
        one.tell(InferResponse("m", "1", "an-id", {}, {"probabilities": rows}))

    written: list[bool] = []
    real = uvicorn_protocol._written

    def noticed(request: InferRequest, answer: InferResponse) -> Any:  # noqa: ANN401 - passed through
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            written.append(True)
        return real(request, answer)

    monkeypatch.setattr(world.layer.responder, "put", put)
    monkeypatch.setattr(uvicorn_protocol, "_written", noticed)
    answers, _ = ask(world, post())
    assert written == [True]
    assert len(answers.told[0]["outputs"][0]["data"]) == rows.size


def test_caller_who_has_gone_costs_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it asked is passed over when its turn comes; what others asked is not."""
    seen: list[int] = []
    real = world.layer.responder.gateway.answer
    monkeypatch.setattr(
        world.layer.responder.gateway,
        "answer",
        lambda pair, asked, at: seen.append(len(asked)) or real(pair, asked, at),
    )

    async def run() -> Answers:
        gone, stays = Line(world.layer), Line(world.layer)
        for line in (gone, stays):
            line.protocol.data_received(post())
        gone.protocol.connection_lost(None)
        answers = await stays.answers(1)
        assert gone.transport.written == b""
        return answers

    assert asyncio.run(run()).statuses == [200]
    assert seen == [1]


def test_caller_who_does_not_read_its_answers_goes_uvicorns_own_way(world: World) -> None:
    """Which waits until it does: they would fill the memory otherwise."""

    async def run() -> tuple[bytes, Answers, int]:
        line = Line(world.layer)
        line.protocol.pause_writing()
        line.protocol.data_received(post())
        await asyncio.sleep(0.2)
        before = line.transport.written
        line.protocol.resume_writing()
        return before, await line.answers(1), line.slow

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
def test_answers_come_in_order_however_the_bytes_are_cut(world: World, kinds: list[str], data: st.DataObject) -> None:
    """Several requests at once on one connection, in pieces of any size: each is answered, in its turn."""
    whole = b"".join(KINDS[kind]() for kind in kinds)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True) if a < b]
    answers, _ = ask(world, *pieces, count=len(kinds))
    assert answers.statuses == [STATUSES[kind] for kind in kinds]


def test_connection_that_rests_too_long_is_closed(world: World) -> None:
    """Not while it is used, however it is asked, nor while an answer is awaited."""

    async def run() -> list[bool]:
        line, closed = Line(world.layer), []
        line.protocol.timeout_keep_alive = 0.5  # type: ignore[assignment] - a number
        for count, request in enumerate((post(), chunked(), post(), post()), 1):
            line.protocol.data_received(request)
            await line.answers(count)
            await asyncio.sleep(0.2)
            closed.append(line.transport.closed)
        await asyncio.sleep(0.6)
        return [*closed, line.transport.closed]

    assert asyncio.run(run()) == [False] * 4 + [True]


def test_timer_of_a_connection_that_is_gone_is_forgotten(world: World) -> None:
    """Nothing is left on the event loop."""

    async def run() -> tuple[bool, bool]:
        line = Line(world.layer)
        line.protocol.data_received(post())
        await line.answers(1)
        timer = line.protocol._timer
        assert timer is not None
        before = timer.cancelled()
        line.protocol.connection_lost(None)
        return before, timer.cancelled()

    assert asyncio.run(run()) == (False, True)
