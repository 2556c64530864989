"""Where a request runs: on the event loop what is fast, in a thread whatever would hold up everybody else."""

import gzip
import threading
from typing import Any

import pytest

from service.protocol import InferRequest, InferResponse
from service.respond import LARGE
from tests.service.asgi import GOOD, INFER, World


def where_it_runs(world: World, monkeypatch: pytest.MonkeyPatch, *, slow: bool, **how: Any) -> bool:  # noqa: ANN401
    """Whether the gateway is asked on the event loop's thread."""
    seen: list[threading.Thread] = []
    real = world.bench.gateway.infer

    def infer(pair: Any, request: InferRequest, arrived: float) -> InferResponse:  # noqa: ANN401 - passed through
        seen.append(threading.current_thread())
        return real(pair, request, arrived)

    monkeypatch.setattr(world.bench.gateway, "infer", infer)
    world.layer._responder._slow = {"m": slow}
    assert world.post(INFER, how.pop("content", GOOD), **how).status == 200
    return seen == [threading.current_thread()]


def test_fast_model_runs_on_the_event_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread hop would cost more than the model."""
    assert where_it_runs(world, monkeypatch, slow=False)


@pytest.mark.parametrize(
    ("slow", "how"),
    [
        (True, {}),
        (False, {"content": GOOD + b" " * LARGE}),
        (False, {"content": gzip.compress(GOOD), "headers": {"Content-Encoding": "gzip"}}),
    ],
    ids=["slow", "large", "compressed"],
)
def test_what_takes_long_runs_in_a_thread(
    world: World, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], *, slow: bool
) -> None:
    """A slow model, a large body, and one that may inflate to a large one: none may hold up everybody else."""
    assert not where_it_runs(world, monkeypatch, slow=slow, **how)
