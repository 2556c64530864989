"""The inference layer itself: which requests are its own, how much of them is read, what callers learn of errors."""

import asyncio
import logging
import time
from collections.abc import MutableMapping
from typing import Any, NoReturn

import pytest

from tests.support.serving.asgi_harness import GOOD, INFER, MOST, World
from tightrope.service.errors import OverloadedError
from tightrope.service.transport.http import asgi as http
from tightrope.service.transport.http.asgi import MOST_OTHER
from tightrope.service.transport.responder import LARGE


@pytest.mark.parametrize("path", [INFER, "/v2/models/m/versions/1/infer"])
def test_inference_is_answered_here(world: World, path: str) -> None:
    """With and without a version; FastAPI never sees it."""
    answer = world.post(path, GOOD)
    assert (answer.status, world.inner.asked) == (200, [])
    headers = dict(answer.sent[0]["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert int(headers[b"content-length"]) == len(answer.sent[1]["body"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", INFER),
        ("POST", "/v2/models/m/infer/"),
        ("POST", "/v2/models/m/infer\n"),
        ("POST", "/v2/models/infer"),
        ("POST", "/v2/models/m/n/infer"),
        ("POST", "/v2/models/m/versions/infer"),
        ("POST", "/v1/models/m/force-safe"),
        ("GET", "/metrics"),
    ],
)
def test_everything_else_is_passed_on(world: World, method: str, path: str) -> None:
    """Whole, with its body."""
    answer = world.post(path, b"a body", method=method)
    assert answer.status == 299
    assert world.inner.asked == [(method, path, b"a body" if method == "POST" else b"")]


def test_body_of_anything_else_is_bounded(world: World) -> None:
    """FastAPI reads a body whole before it looks who sends it: so what it gets is small."""
    half = b"x" * (MOST_OTHER // 2)
    assert world.post("/v1/models/m/force-safe", half, half).status == 299
    assert world.inner.asked.pop()[2] == half * 2
    answer = world.post("/v1/models/m/force-safe", half, half, b"x")
    assert (answer.status, answer.error) == (
        413,
        f"the body has more than {MOST_OTHER} bytes, which is the most that is taken",
    )
    announced = world.post("/v1/models/m/force-safe", b"x", headers={"Content-Length": str(MOST_OTHER + 1)})
    assert announced.status == 413
    assert world.inner.asked == []


@pytest.mark.parametrize("path", [INFER, "/v1/models/m/force-safe"])
def test_caller_that_goes_away_gets_no_answer(world: World, path: str) -> None:
    """Half a body is no request: nothing is run, nothing is passed on, nothing is counted."""
    answer = world.post(path, GOOD[:20], breaks=True)
    assert (answer.sent, world.inner.asked) == ([], [])
    assert world.bench.count("requests", model="m", outcome="caller_error") == 0


def test_body_is_put_together_from_its_chunks(world: World) -> None:
    """However small they are."""
    assert world.post(INFER, *(GOOD[i : i + 1] for i in range(len(GOOD)))).status == 200


def test_body_that_is_too_large_is_not_kept(world: World) -> None:
    """As soon as it is, or as its header says so; the connection is not used again."""
    chunk = b"x" * LARGE
    for chunks, headers in (([chunk] * 9, {}), ([b"x"], {"Content-Length": "9" * 30})):
        answer = world.post(INFER, *chunks, headers=headers)
        assert (answer.status, answer.taken) == (413, len(chunks))
        assert answer.error == f"the body has more than {MOST} bytes, which is the most that is taken"
        assert (b"connection", b"close") in answer.sent[0]["headers"]


def test_what_is_thrown_away_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can keep us reading by sending on and on."""
    monkeypatch.setattr(http, "MOST_DISCARDED", 3 * LARGE)
    answer = world.post(INFER, *[b"x" * LARGE] * 100)
    assert (answer.status, answer.taken) == (413, 5 + 3)


def test_nobody_is_waited_for_endlessly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by sending nothing more."""
    monkeypatch.setattr(http, "DISCARD_SECONDS", 0.05)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(30)
        return {}

    began = time.monotonic()
    asyncio.run(http._discard(receive))
    assert time.monotonic() - began < 10


def test_caller_that_waits_for_leave_to_send_is_told_at_once(world: World) -> None:
    """Whoever asks with Expect: 100-continue sends nothing before it is invited, and it is not."""
    answer = world.post(INFER, b"x", headers={"Content-Length": str(MOST + 1), "Expect": "100-continue"})
    assert (answer.status, answer.taken) == (413, 0)


def test_unforeseen_error_is_told_to_the_log_only(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller learns that it is our fault, and nothing of how we are made."""

    def infer(*_: object) -> NoReturn:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(world.bench.gateway, "answer", infer)
    with caplog.at_level(logging.ERROR):
        answer = world.post(INFER, GOOD)
    assert (answer.status, answer.error) == (500, "internal error; the server's log says more")
    assert "a secret of ours" in caplog.text
    assert world.bench.count("requests", model="m", outcome="server_error") == 1


def test_refused_caller_is_told_when_to_come_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and whole seconds, never none."""

    async def full(*_: object) -> NoReturn:
        raise OverloadedError("7 requests wait already", 1.2)

    monkeypatch.setattr(world.layer.responder, "respond", full)
    answer = world.post(INFER, GOOD)
    assert (answer.status, answer.error) == (503, "7 requests wait already")
    assert dict(answer.sent[0]["headers"])[b"retry-after"] == b"2"


def test_caller_who_leaves_while_a_long_run_is_waited_for_gets_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whatever still waits for it is told, so that nobody works on it; a short run is over before that."""
    cancelled: list[bool] = []

    async def never(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    monkeypatch.setattr(world.layer.responder, "respond", never)
    monkeypatch.setattr(world.layer.responder, "is_short", lambda *_: False)
    assert world.post(INFER, GOOD).sent == []
    assert cancelled == [True]


def test_requests_are_counted_by_outcome_and_known_model_only(world: World) -> None:
    """A caller cannot make up label values; every answer is timed."""
    world.post(INFER, GOOD)
    world.post(INFER, b"{")
    for name in ("nope", "x" * 500):
        assert world.post(f"/v2/models/{name}/infer", GOOD).status == 404
    count = world.bench.count
    assert count("requests", model="m", outcome="ok") == 1
    assert count("requests", model="m", outcome="caller_error") == 1
    assert count("requests", model="unknown", outcome="caller_error") == 2
    timed = world.bench.metrics.registry.get_sample_value
    assert timed("tightrope_request_seconds_count", {"model": "m"}) == 2
    assert timed("tightrope_request_seconds_count", {"model": "unknown"}) == 2
