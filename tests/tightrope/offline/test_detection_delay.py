import numpy as np
import pytest

from tightrope.monitors.definitions.definition import Hypothesis
from tightrope.monitors.detector import divergence
from tightrope.offline.detection_delay import HARM_MULTIPLES, EvidenceRates, format_duration, harms

NONE = np.zeros(0)
ALL = EvidenceRates(own=1.0, samples=1.0, log_budget=np.log(3.15e8), per_second=10.0)


def test_delays_follow_the_planning_rule() -> None:
    """A rate, with every request sampled: ln(A KL) / KL rows, as many requests, a tenth as many seconds."""
    found = list(harms(Hypothesis.RATE, NONE, 0.02, ALL))
    assert [harm.times for harm in found] == list(HARM_MULTIPLES)
    assert [harm.value for harm in found] == pytest.approx([0.04, 0.06, 0.1, 0.2])
    for harm in found:
        information = float(divergence(harm.value, 0.02))
        assert harm.rows == harm.requests == pytest.approx(np.log(3.15e8 * information) / information)
        assert harm.seconds == pytest.approx(harm.rows / 10)


def test_small_subgroup_needs_about_50000_requests() -> None:
    """1 % of the requests, a twentieth of the budget, a limit of 2 %, A = 2e6: at 4 to 6 % about 500 rows, 1.4 h.

    Of every hundred samples that seed its cell one is its own, so each of its rows pays for a hundred seeds.
    """
    clock = EvidenceRates(own=0.01, samples=1.0, log_budget=float(np.log(2e6 * 20)), per_second=10.0)
    slow, soon = list(harms(Hypothesis.RATE, NONE, 0.02, clock))[:2]
    for harm in (slow, soon):
        information = float(divergence(harm.value, 0.02))
        assert harm.rows == pytest.approx(np.log(2e6 * 20 * 0.01 * information) / information)
    assert soon.rows is not None
    assert slow.rows is not None
    assert soon.rows < 500 < slow.rows
    assert soon.requests == pytest.approx(100 * soon.rows)
    assert soon.seconds == pytest.approx(10 * soon.rows)


def test_sampling_stretches_time_but_not_rows() -> None:
    """With a tenth sampled: as many rows, ten times the requests; a cell's share of the samples is unchanged."""
    whole = list(harms(Hypothesis.RATE, NONE, 0.1, EvidenceRates(0.05, 1.0, 20.0, 1.0)))
    tenth = list(harms(Hypothesis.RATE, NONE, 0.1, EvidenceRates(0.005, 0.1, 20.0, 1.0)))
    for one, other in zip(whole, tenth, strict=True):
        assert (one.rows is None) == (other.rows is None)
        if one.rows is not None and one.seconds is not None:
            assert other.rows == pytest.approx(one.rows)
            assert other.seconds == pytest.approx(10 * one.seconds)


def test_noise_delays_the_alarm_of_a_mean() -> None:
    """Equal harm in noisier rows takes longer."""
    quiet, loud = (list(harms(Hypothesis.MEAN, np.array([-sd, sd]), 0.02, ALL)) for sd in (0.05, 0.4))
    for one, other in zip(quiet, loud, strict=True):
        assert one.rows is not None
        assert other.rows is not None
        assert one.rows < other.rows


def test_impossible_or_unsampled_harm_has_no_delay() -> None:
    """Ten times a limit of 0.1 is no rate below one; an unsampled scope is never judged; noise can hide a
    small shift.
    """
    assert [harm.rows is None for harm in harms(Hypothesis.RATE, NONE, 0.1, ALL)] == [False, False, False, True]
    unseen = EvidenceRates(own=0.0, samples=0.5, log_budget=20.0, per_second=10.0)
    assert all(harm.seconds is None for harm in harms(Hypothesis.RATE, NONE, 0.02, unseen))
    drowned = next(harms(Hypothesis.MEAN, np.array([-1.0, 1.0]), 0.001, ALL))
    assert (drowned.value, drowned.requests) == (0.002, None)


SPELLED = {
    0.4: "0 s", 89: "89 s", 91: "2 min", 5_300: "88 min", 5_401: "1.5 h", 172_000: "47.8 h", 259_200: "3 d",
    1e9: "11,574 d", None: "never",
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "said"), SPELLED.items())
def test_duration_has_a_fitting_unit(seconds: float | None, said: str) -> None:
    """Seconds, minutes, hours or days."""
    assert format_duration(seconds) == said
