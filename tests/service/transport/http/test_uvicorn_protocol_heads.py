"""A request whose head was read before is answered as one whose head was not."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.transport.http.test_uvicorn_protocol import KINDS, STATUSES, ask
from tests.support.serving.asgi_harness import GOOD, World
from tests.support.serving.protocol_connection import Answers, Line, chunked, post
from tightrope.service.transport.http import head_cache


class _Parser:
    """Counts what it is fed."""

    def __init__(self, real: Any) -> None:  # noqa: ANN401 - httptools has no types
        self.real = real
        self.fed: list[bytes] = []

    def feed_data(self, data: bytes) -> None:
        """A piece."""
        self.fed.append(data)
        self.real.feed_data(data)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.real, name)


def one_by_one(world: World, *requests: bytes) -> tuple[Answers, list[bytes]]:
    """The answers, each awaited before the next request comes, and what the parser had to read."""

    async def run() -> tuple[Answers, list[bytes]]:
        line = Line(world.layer)
        parser: Any = _Parser(line.protocol.parser)
        line.protocol.parser = parser
        for count, request in enumerate(requests, 1):
            line.protocol.data_received(request)
            answers = await line.answers(count)
        return answers, parser.fed

    return asyncio.run(run())


def test_head_that_was_read_before_is_not_read_again(world: World) -> None:
    """Whatever the body is; the answer is that of its request."""
    other = GOOD.replace(b'"data"', b' "data"')
    requests = [post(), post(GOOD[:-1] + b"]"), post(), post(other), post(other)]
    answers, fed = one_by_one(world, *requests)
    assert fed == [requests[0], requests[3]]
    assert answers.statuses == [200, 400, 200, 200, 200]
    assert answers.told[2:] == [answers.told[0]] * 3
    assert answers.told[1] == ask(world, chunked(GOOD[:-1] + b"]"))[0].told[0]


@pytest.mark.parametrize(
    "request_",
    [
        post(path="/v2/models/nobody/infer"),
        post(path="/v2/models/m/versions/77/infer"),
        post(X_Long="x" * head_cache.MOST_BYTES),
        chunked(),
    ],
    ids=["no model", "no version", "long", "chunked"],
)
def test_head_that_is_not_worth_it_is_not_remembered(world: World, request_: bytes) -> None:
    """It would take the room of those that are; or it is not read here."""
    _, fed = one_by_one(world, request_, request_)
    assert fed == [request_, request_]


def test_heads_that_never_come_again_do_not_fill_the_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some callers number their requests."""
    monkeypatch.setattr(head_cache, "MOST_HEADS", 4)

    async def run() -> tuple[Answers, int]:
        line = Line(world.layer)
        for number in range(30):
            line.protocol.data_received(post(X_Number=str(number)))
            answers = await line.answers(number + 1)
            assert len(line.protocol.heads._said) <= head_cache.MOST_HEADS
        return answers, line.slow

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
def test_remembered_heads_change_no_answer(world: World, turns: list[tuple[list[str], int, bool]]) -> None:
    """However many requests come at once, cut wherever, and whether the caller waits for its answers."""

    async def run() -> Answers:
        line, count = Line(world.layer), 1
        line.protocol.data_received(post())
        await line.answers(1)
        for kinds, cut, waits in turns:
            whole = b"".join(KINDS[kind]() for kind in kinds)
            for piece in (whole[:cut], whole[cut:]):
                if piece:
                    line.protocol.data_received(piece)
            count += len(kinds)
            if waits:
                await line.answers(count)
        return await line.answers(count)

    assert asyncio.run(run()).statuses == [200] + [STATUSES[kind] for kinds, _, _ in turns for kind in kinds]
