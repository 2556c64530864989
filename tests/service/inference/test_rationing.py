"""The fallback of a whole model is rationed to what its baseline can serve; harmed subgroups have priority."""

from pathlib import Path

import pytest

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.service.routing.fallback_limiter import MIN_WINDOW_ANSWERS, MIN_WINDOW_SECONDS

LIMIT = 1e-9
"""Every answer takes longer than this many seconds."""


@pytest.fixture
def served(tmp_path: Path) -> GatewayHarness:
    """A gateway whose baseline is always late."""
    pair = {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "fallback_seconds": LIMIT}
    return GatewayHarness(tmp_path, {"m": pair})


def ration(served: GatewayHarness) -> None:
    """Observe late answers until the baseline gets a share of the fallback."""
    rationing, pair = served.engine.rationing, served.pairs["m"]
    served.infer("m", body([[10.0, 1.0]]))
    limiter = rationing._limiters["m"]
    for second in range(60):
        for _ in range(MIN_WINDOW_ANSWERS):
            limiter.observe(1.0, 1000.0 + 2 * second * MIN_WINDOW_SECONDS)
    assert rationing.is_short(pair)


def test_whole_fallback_is_rationed_and_harmed_subgroups_are_not(served: GatewayHarness) -> None:
    """An answer that the compressed model gives for want of capacity is marked."""
    served.safe("m", "model", "band=low")
    ration(served)
    answers = [served.infer("m", body([[10.0, 1.0]])) for _ in range(200)]
    marked = [answer for answer in answers[100:] if answer.parameters.get("over_capacity")]
    assert len(marked) > 50
    assert {answer.parameters["served_by"] for answer in marked} == {"compressed"}
    harmed = [served.infer("m", body([[5.0, 1.0]])).parameters for _ in range(20)]
    assert {each["served_by"] for each in harmed} == {"baseline"}


def test_baseline_answers_everything_while_it_keeps_up(served: GatewayHarness) -> None:
    """Nothing is rationed before a window of late answers."""
    served.safe("m", "model")
    assert {served.infer("m", body([[10.0, 1.0]])).parameters["served_by"] for _ in range(20)} == {"baseline"}
    assert not served.engine.rationing.is_short(served.pairs["m"])
