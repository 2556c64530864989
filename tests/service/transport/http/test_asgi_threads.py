"""Bodies that would hold up the event loop are decoded in a thread."""

import gzip
import threading
from typing import Any

import pytest

from tests.support.serving.asgi_harness import GOOD, INFER, LayerHarness
from tightrope.service.inference.engine import LARGE_BYTES
from tightrope.service.transport.http.codec import RequestDecoder


def decoding_thread(world: LayerHarness, monkeypatch: pytest.MonkeyPatch, **how: Any) -> threading.Thread:  # noqa: ANN401
    """The thread that decodes a body."""
    seen: list[threading.Thread] = []
    real = RequestDecoder.decode

    def decode(*of: Any) -> Any:  # noqa: ANN401 - passed through
        seen.append(threading.current_thread())
        return real(*of)

    monkeypatch.setattr(RequestDecoder, "decode", decode)
    assert world.post(INFER, how.pop("content", GOOD), **how).status == 200
    (thread,) = seen
    return thread


def test_small_body_is_decoded_on_the_event_loop(world: LayerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread hop would take longer."""
    assert decoding_thread(world, monkeypatch) is threading.current_thread()


@pytest.mark.parametrize(
    "how",
    [
        {"content": GOOD + b" " * LARGE_BYTES},
        {"content": gzip.compress(GOOD), "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=["large", "compressed"],
)
def test_large_body_is_decoded_in_a_thread(
    world: LayerHarness, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    """A compressed one is too, which may inflate to a large one."""
    assert decoding_thread(world, monkeypatch, **how) is not threading.current_thread()
