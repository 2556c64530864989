"""Where the edge's own work is done: in a thread whatever would hold up everybody else."""

import gzip
import threading
from typing import Any

import pytest

from tests.support.serving.asgi_harness import GOOD, INFER, World
from tightrope.service.transport.http.codec import Decoder
from tightrope.service.transport.responder import LARGE


def where_it_is_read(world: World, monkeypatch: pytest.MonkeyPatch, **how: Any) -> threading.Thread:  # noqa: ANN401
    """The thread that a body is decoded on."""
    seen: list[threading.Thread] = []
    real = Decoder.decode

    def decode(*of: Any) -> Any:  # noqa: ANN401 - passed through
        seen.append(threading.current_thread())
        return real(*of)

    monkeypatch.setattr(Decoder, "decode", decode)
    assert world.post(INFER, how.pop("content", GOOD), **how).status == 200
    (thread,) = seen
    return thread


def test_small_body_is_read_on_the_event_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread hop would cost more."""
    assert where_it_is_read(world, monkeypatch) is threading.current_thread()


@pytest.mark.parametrize(
    "how",
    [
        {"content": GOOD + b" " * LARGE},
        {"content": gzip.compress(GOOD), "headers": {"Content-Encoding": "gzip"}},
    ],
    ids=["large", "compressed"],
)
def test_large_body_is_read_in_a_thread(world: World, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]) -> None:
    """And one that may inflate to a large one."""
    assert where_it_is_read(world, monkeypatch, **how) is not threading.current_thread()
