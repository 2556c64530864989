"""Compressed requests outside inference: inflated before FastAPI reads them, within the same limits."""

import gzip
import json

import httpx
import pytest

from tests.support.serving.asgi_harness import MAX_BODY_BYTES, LayerHarness
from tests.support.serving.service_harness import AUTH
from tightrope.service.transport.http.asgi import MAX_OTHER_BODY_BYTES

LABELS, ORDER, PAYLOADS = "/v1/models/m/labels", "/v1/models/m/force-safe", "/v1/models/m/payloads"


@pytest.mark.parametrize("path", [LABELS, ORDER, PAYLOADS, "/v1/models/m/deploy", "/v1/models/m/reports"])
def test_compressed_body_is_forwarded_inflated(world: LayerHarness, path: str) -> None:
    """Every route outside inference takes the encodings that inference takes."""
    answer = world.post(path, gzip.compress(b"half") + gzip.compress(b"half"), headers={"Content-Encoding": "gzip"})
    assert answer.status == 299
    assert world.inner.asked == [("POST", path, b"halfhalf")]


@pytest.mark.parametrize(
    ("body", "encoding", "status", "text"),
    [
        (gzip.compress(b"x") + b"y", "gzip", 400, "the body has 1 bytes after the end of its gzip"),
        (b"x", "br", 415, "content-encoding 'br'"),
        (gzip.compress(bytes(MAX_OTHER_BODY_BYTES + 1)), "gzip", 413, f"more than {MAX_OTHER_BODY_BYTES} bytes"),
    ],
    ids=["bytes after the end", "unknown", "too large"],
)
def test_compressed_body_is_bounded(world: LayerHarness, body: bytes, encoding: str, status: int, text: str) -> None:
    """It is refused before FastAPI sees it."""
    answer = world.post(LABELS, body, headers={"Content-Encoding": encoding})
    assert answer.status == status
    assert text in answer.error
    assert world.inner.asked == []


def test_payload_events_inflate_to_the_size_of_an_inference(world: LayerHarness) -> None:
    """They hold whole inference requests."""
    packed = gzip.compress(bytes(MAX_BODY_BYTES))
    assert world.post(PAYLOADS, packed, headers={"Content-Encoding": "gzip"}).status == 299
    packed = gzip.compress(bytes(MAX_BODY_BYTES + 1))
    assert world.post(PAYLOADS, packed, headers={"Content-Encoding": "gzip"}).status == 413


def test_compressed_order_is_carried_out(client: httpx.Client) -> None:
    """As an order that is not compressed."""
    order = json.dumps({"scope": "model", "reason": "a compressed order", "actor": "tests"}).encode()
    headers = {**AUTH, "Content-Encoding": "gzip", "Content-Type": "application/json"}
    try:
        answer = client.post("/v1/models/flag/force-safe", content=gzip.compress(order), headers=headers)
        assert (answer.status_code, answer.json()["safe"]) == (200, ["model"])
    finally:
        answer = client.post("/v1/models/flag/release", content=gzip.compress(order), headers=headers)
    assert answer.status_code == 200
