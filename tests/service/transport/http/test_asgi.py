"""The inference layer: its own requests, how much of a body it reads, and the errors that callers get."""

import asyncio
import logging
import time
from collections.abc import MutableMapping
from typing import Any, NoReturn

import pytest

from tests.support.serving.asgi_harness import GOOD, INFER, MAX_BODY_BYTES, LayerHarness
from tightrope.service.errors import OverloadedError
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.http import asgi as http
from tightrope.service.transport.http.asgi import MAX_OTHER_BODY_BYTES


@pytest.mark.parametrize("path", [INFER, "/v2/models/m/versions/1/infer", INFER + "/"])
def test_inference_does_not_reach_fastapi(world: LayerHarness, path: str) -> None:
    """With and without a version, and with a slash at the end."""
    answer = world.post(path, GOOD)
    assert (answer.status, world.inner.asked) == (200, [])
    headers = dict(answer.sent[0]["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert int(headers[b"content-length"]) == len(answer.sent[1]["body"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", INFER),
        ("POST", "/v2/models/m/infer//"),
        ("POST", "/v2/models/m/infer\n"),
        ("POST", "/v2/models/infer"),
        ("POST", "/v2/models/m/n/infer"),
        ("POST", "/v2/models/m/versions/infer"),
        ("POST", "/v1/models/m/force-safe"),
        ("GET", "/metrics"),
    ],
)
def test_other_requests_are_forwarded(world: LayerHarness, method: str, path: str) -> None:
    """Complete, with their bodies."""
    answer = world.post(path, b"a body", method=method)
    assert answer.status == 299
    asked = path.removesuffix("/")
    assert world.inner.asked == [(method, asked, b"a body" if method == "POST" else b"")]


def test_body_of_another_request_is_bounded(world: LayerHarness) -> None:
    """FastAPI reads a body before it authenticates."""
    half = b"x" * (MAX_OTHER_BODY_BYTES // 2)
    assert world.post("/v1/models/m/force-safe", half, half).status == 299
    assert world.inner.asked.pop()[2] == half * 2
    answer = world.post("/v1/models/m/force-safe", half, half, b"x")
    assert (answer.status, answer.error) == (
        413,
        f"the body has more than {MAX_OTHER_BODY_BYTES} bytes, which is the most that is taken",
    )
    announced = world.post("/v1/models/m/force-safe", b"x", headers={"Content-Length": str(MAX_OTHER_BODY_BYTES + 1)})
    assert announced.status == 413
    assert world.inner.asked == []


@pytest.mark.parametrize("path", [INFER, "/v1/models/m/force-safe"])
def test_disconnected_caller_gets_no_answer(world: LayerHarness, path: str) -> None:
    """Half a body is neither run nor forwarded nor counted."""
    answer = world.post(path, GOOD[:20], breaks=True)
    assert (answer.sent, world.inner.asked) == ([], [])
    assert world.bench.count("requests", model="m", outcome="caller_error") == 0


def test_body_is_put_together_from_its_chunks(world: LayerHarness) -> None:
    """Chunks of any size."""
    assert world.post(INFER, *(GOOD[i : i + 1] for i in range(len(GOOD)))).status == 200


def test_body_that_is_too_large_is_not_kept(world: LayerHarness) -> None:
    """It is refused as soon as its header or its bytes exceed the limit; the connection is closed."""
    chunk = b"x" * LARGE_BYTES
    for chunks, headers in (([chunk] * 9, {}), ([b"x"], {"Content-Length": "9" * 30})):
        answer = world.post(INFER, *chunks, headers=headers)
        assert (answer.status, answer.taken) == (413, len(chunks))
        assert answer.error == (
            f"the body has more than {MAX_BODY_BYTES} bytes, which is the most that is taken (server.max_body_bytes)"
        )
        assert (b"connection", b"close") in answer.sent[0]["headers"]


def test_discarded_bytes_are_bounded(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller cannot keep the server reading by sending on and on."""
    monkeypatch.setattr(http, "MAX_DISCARDED_BYTES", 3 * LARGE_BYTES)
    answer = world.post(INFER, *[b"x" * LARGE_BYTES] * 100)
    assert (answer.status, answer.taken) == (413, 5 + 3)


def test_discarding_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor by sending nothing more."""
    monkeypatch.setattr(http, "DISCARD_SECONDS", 0.05)

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(30)
        return {}

    began = time.monotonic()
    asyncio.run(http._discard(receive))
    assert time.monotonic() - began < 10


def test_caller_that_expects_continue_is_refused_at_once(world: LayerHarness) -> None:
    """With Expect: 100-continue it sends nothing before it is invited, and it is not."""
    answer = world.post(INFER, b"x", headers={"Content-Length": str(MAX_BODY_BYTES + 1), "Expect": "100-continue"})
    assert (answer.status, answer.taken) == (413, 0)


def test_unexpected_error_goes_to_the_log_only(
    world: LayerHarness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets a status of 500 and no details."""

    def infer(*_: object) -> NoReturn:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr(world.bench.engine, "answer", infer)
    with caplog.at_level(logging.ERROR):
        answer = world.post(INFER, GOOD)
    assert (answer.status, answer.error) == (500, "internal error; the server's log says more")
    assert "a secret of ours" in caplog.text
    assert world.bench.count("requests", model="m", outcome="server_error") == 1


def test_overloaded_layer_sends_a_retry_delay(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and at least one whole second."""

    async def full(*_: object) -> NoReturn:
        raise OverloadedError("7 requests wait already", 1.2)

    monkeypatch.setattr(world.layer.responder, "respond", full)
    answer = world.post(INFER, GOOD)
    assert (answer.status, answer.error) == (503, "7 requests wait already")
    assert dict(answer.sent[0]["headers"])[b"retry-after"] == b"2"


def test_caller_that_disconnects_during_a_long_run_gets_no_answer(
    world: LayerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request is cancelled; a short run ends before that."""
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


def test_requests_are_counted_by_outcome_and_known_model_only(world: LayerHarness) -> None:
    """A caller cannot invent label values; every answer is timed."""
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
