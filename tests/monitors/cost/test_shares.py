"""Shares of the processor time add up, and are unknown where a part of them is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.cost.shares import ModelCpu, cpu_shares

SECONDS = st.floats(0.0, 1e6)
COSTS = st.builds(
    ModelCpu,
    answer=SECONDS,
    fallback=SECONDS,
    escalation=SECONDS,
    shadow=SECONDS,
    answer_by_baseline=st.floats(1e-3, 1e6),
    fallback_by_compressed=SECONDS,
)


@given(COSTS)
def test_savings_less_costs_are_the_savings_in_all(cpu: ModelCpu) -> None:
    """No second of the model is counted twice, and none is left out."""
    shares = cpu_shares(cpu)
    assert shares is not None
    assert shares.watching is not None
    in_all = shares.saved - shares.watching - shares.fallbacks - shares.escalations
    scale = 1.0 + sum(map(abs, (shares.saved, shares.watching, shares.fallbacks, shares.escalations)))
    assert in_all == pytest.approx(shares.in_all, abs=1e-9 * scale)


@given(COSTS)
def test_baseline_alone_is_never_counted_as_a_saving(cpu: ModelCpu) -> None:
    """Where the compressed model takes what the baseline would, and nothing is watched, nothing is saved."""
    same = ModelCpu(cpu.answer_by_baseline or 0.0, cpu.fallback, 0.0, 0.0, cpu.answer_by_baseline, cpu.fallback)
    shares = cpu_shares(same)
    assert shares is not None
    assert (shares.saved, shares.fallbacks, shares.in_all) == pytest.approx((0, 0, 0), abs=1e-12)


def test_slower_compressed_model_costs_more() -> None:
    """Its saving is negative, and a fallback then saves."""
    shares = cpu_shares(ModelCpu(answer=1.27, fallback=1.0, answer_by_baseline=1.0, fallback_by_compressed=1.27))
    assert shares is not None
    assert (shares.saved, shares.fallbacks) == pytest.approx((-0.27, -0.135))


@pytest.mark.parametrize("cpu", [ModelCpu(), ModelCpu(answer=1.0, answer_by_baseline=None)])
def test_unknown_time_of_the_baseline_gives_no_shares(cpu: ModelCpu) -> None:
    """Neither before the first request, nor where the baseline cannot be timed."""
    assert cpu_shares(cpu) is None


def test_watching_elsewhere_is_unknown() -> None:
    """It is not said to be free."""
    shares = cpu_shares(ModelCpu(answer=1.0, shadow=None, answer_by_baseline=2.0))
    assert shares is not None
    assert (shares.watching, shares.in_all) == (None, 0.5)
