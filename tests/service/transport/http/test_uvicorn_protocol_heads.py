"""A request whose head is cached gets the response of one whose head is parsed."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.transport.http.test_uvicorn_protocol import KINDS, STATUSES, ask
from tests.support.serving.asgi_harness import GOOD, LayerHarness
from tests.support.serving.protocol_connection import Answers, Connection, chunked, post
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.http import head_cache


class _Parser:
    """Records the data that it is fed."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401 - httptools has no types
        self.real = real
        self.fed: list[bytes] = []

    def feed_data(self, data: bytes) -> None:
        """Take a piece."""
        self.fed.append(data)
        self.real.feed_data(data)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.real, name)


def one_by_one(world: LayerHarness, *requests: bytes) -> tuple[Answers, list[bytes]]:
    """The responses, each awaited before the next request, and the data that the parser got."""

    async def run() -> tuple[Answers, list[bytes]]:
        connection = Connection(world.layer)
        parser: Any = _Parser(connection.protocol.parser)
        connection.protocol.parser = parser
        for count, request in enumerate(requests, 1):
            connection.protocol.data_received(request)
            answers = await connection.answers(count)
        return answers, parser.fed

    return asyncio.run(run())


def test_cached_head_is_not_parsed_again(world: LayerHarness) -> None:
    """With any body."""
    other = GOOD.replace(b'"data"', b' "data"')
    requests = [post(), post(GOOD[:-1] + b"]"), post(), post(other), post(other)]
    answers, fed = one_by_one(world, *requests)
    assert fed == [requests[0], requests[3]]
    assert answers.statuses == [200, 400, 200, 200, 200]
    assert answers.documents[2:] == [answers.documents[0]] * 3
    assert answers.documents[1] == ask(world, chunked(GOOD[:-1] + b"]"))[0].documents[0]


@pytest.mark.parametrize("data", [post() + post(), post()[:-1], post()[:20], b"G" + post()], ids=str)
def test_cached_head_is_used_for_exactly_one_whole_request(world: LayerHarness, data: bytes) -> None:
    """The parser gets all other data."""

    async def run() -> list[bytes]:
        connection = Connection(world.layer)
        connection.protocol.data_received(post())
        await connection.answers(1)
        parser: Any = _Parser(connection.protocol.parser)
        connection.protocol.parser = parser
        connection.protocol.data_received(data)
        return parser.fed

    assert asyncio.run(run()) == [data]


def test_response_starts_with_uvicorns_present_headers(world: LayerHarness) -> None:
    """uvicorn makes the date anew every second."""

    async def run() -> Answers:
        connection = Connection(world.layer)
        for count, date in enumerate((b"now", b"now", b"later"), 1):
            connection.protocol.server_state.default_headers = [(b"date", date)]
            connection.protocol.data_received(post() if count < 3 else post(b"{"))
            answers = await connection.answers(count)
        return answers

    answers = asyncio.run(run())
    assert [headers["date"] for headers in answers.headers] == ["now", "now", "later"]
    assert answers.statuses == [200, 200, 400]


@pytest.mark.parametrize(
    "request_",
    [
        post(path="/v2/models/nobody/infer"),
        post(path="/v2/models/m/versions/77/infer"),
        post(X_Long="x" * head_cache.MAX_HEAD_BYTES),
        chunked(),
    ],
    ids=["no model", "no version", "long", "chunked"],
)
def test_other_heads_are_not_cached(world: LayerHarness, request_: bytes) -> None:
    """They would evict the ones in use, or are left to ASGI."""
    _, fed = one_by_one(world, request_, request_)
    assert fed == [request_, request_]


def test_number_of_cached_heads_is_bounded(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some callers number their requests."""
    monkeypatch.setattr(head_cache, "MAX_HEADS", 4)

    async def run() -> tuple[Answers, int]:
        connection = Connection(world.layer)
        for number in range(30):
            connection.protocol.data_received(post(X_Number=str(number)))
            answers = await connection.answers(number + 1)
            assert len(connection.protocol.heads) <= head_cache.MAX_HEADS
        return answers, connection.slow

    answers, slow = asyncio.run(run())
    assert (answers.statuses, slow) == ([200] * 30, 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    turns=st.lists(
        st.tuples(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3), st.integers(0, 400), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_cached_heads_change_no_response(world: LayerHarness, turns: list[tuple[list[str], int, bool]]) -> None:
    """With any number of requests at once, split anywhere, awaited or not."""

    async def run() -> Answers:
        connection, count = Connection(world.layer), 1
        connection.protocol.data_received(post())
        await connection.answers(1)
        for kinds, cut, waits in turns:
            whole = b"".join(KINDS[kind]() for kind in kinds)
            for piece in (whole[:cut], whole[cut:]):
                if piece:
                    connection.protocol.data_received(piece)
            count += len(kinds)
            if waits:
                await connection.answers(count)
        return await connection.answers(count)

    assert asyncio.run(run()).statuses == [200] + [STATUSES[kind] for kinds, _, _ in turns for kind in kinds]


TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = {"X-Request-Id": "r-1", "traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}


@pytest.mark.parametrize("size", [0, LARGE_BYTES], ids=["small", "large"])
def test_request_id_of_the_header_is_echoed_and_sampled_with_the_trace(world: LayerHarness, size: int) -> None:
    """Also on the ASGI path; each request has its own, and an error gives it back, too."""
    second = TRACED | {"X-Request-Id": "r-2", "traceparent": ""}
    requests = [post(GOOD + b" " * size, **TRACED), post(GOOD + b" " * size, **second), post(b"no", **second)]
    answers, _ = one_by_one(world, *requests)
    assert answers.statuses == [200, 200, 400]
    assert [headers["x-request-id"] for headers in answers.headers] == ["r-1", "r-2", "r-2"]
    assert [json.loads(body)["id"] for body in answers.bodies[:2]] == ["r-1", "r-2"]
    world.bench.engine.sample_answers()
    samples = world.bench.published()[0]
    assert {sample.request_id: sample.trace_id for sample in samples} == {"r-1": TRACE_ID, "r-2": ""}


def test_id_of_the_body_stands_over_that_of_the_header(world: LayerHarness) -> None:
    """The header comes back as it was sent, so that a proxy finds its own."""
    answers, _ = one_by_one(world, post(b'{"id": "b-1", ' + GOOD[1:], **TRACED), post())
    assert json.loads(answers.bodies[0])["id"] == "b-1"
    assert [headers.get("x-request-id") for headers in answers.headers] == ["r-1", None]
