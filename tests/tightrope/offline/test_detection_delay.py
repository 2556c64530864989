import numpy as np
import pytest

from tightrope.monitors.catalogue import Kind
from tightrope.monitors.detector import divergence
from tightrope.offline.detection_delay import HARMS, Clock, harms, spell

NONE = np.zeros(0)
ALL = Clock(own=1.0, samples=1.0, log_budget=np.log(3.15e8), per_second=10.0)


def test_times_follow_from_the_planning_rule() -> None:
    """Of a rate, seen by everybody: ln(A KL) / KL rows, as many requests, a tenth as many seconds."""
    found = list(harms(Kind.RATE, NONE, 0.02, ALL))
    assert [harm.times for harm in found] == list(HARMS)
    assert [harm.value for harm in found] == pytest.approx([0.04, 0.06, 0.1, 0.2])
    for harm in found:
        information = float(divergence(harm.value, 0.02))
        assert harm.rows == harm.requests == pytest.approx(np.log(3.15e8 * information) / information)
        assert harm.seconds == pytest.approx(harm.rows / 10)


def test_small_subgroup_needs_about_50000_requests() -> None:
    """1 % of the requests, a twentieth of the budget, a limit of 2 %, A = 2e6: at 4 to 6 % about 500 own rows, 1.4 h.

    Of every hundred samples that seed its cell one is its own, so each of its own rows pays for a hundred seeds.
    """
    clock = Clock(own=0.01, samples=1.0, log_budget=float(np.log(2e6 * 20)), per_second=10.0)
    slow, soon = list(harms(Kind.RATE, NONE, 0.02, clock))[:2]
    for harm in (slow, soon):
        information = float(divergence(harm.value, 0.02))
        assert harm.rows == pytest.approx(np.log(2e6 * 20 * 0.01 * information) / information)
    assert soon.rows is not None
    assert slow.rows is not None
    assert soon.rows < 500 < slow.rows
    assert soon.requests == pytest.approx(100 * soon.rows)
    assert soon.seconds == pytest.approx(10 * soon.rows)


def test_sampling_stretches_time_and_not_the_rows() -> None:
    """A tenth of everybody's requests: as many rows, ten times the requests; a cell's part of the samples is the
    same.
    """
    whole = list(harms(Kind.RATE, NONE, 0.1, Clock(0.05, 1.0, 20.0, 1.0)))
    tenth = list(harms(Kind.RATE, NONE, 0.1, Clock(0.005, 0.1, 20.0, 1.0)))
    for one, other in zip(whole, tenth, strict=True):
        assert (one.rows is None) == (other.rows is None)
        if one.rows is not None and one.seconds is not None:
            assert other.rows == pytest.approx(one.rows)
            assert other.seconds == pytest.approx(10 * one.seconds)


def test_noise_delays_what_is_seen_of_a_mean() -> None:
    """The same harm in louder rows takes longer."""
    quiet, loud = (list(harms(Kind.MEAN, np.array([-sd, sd]), 0.02, ALL)) for sd in (0.05, 0.4))
    for one, other in zip(quiet, loud, strict=True):
        assert one.rows is not None
        assert other.rows is not None
        assert one.rows < other.rows


def test_harm_that_cannot_be_or_that_nobody_sees_has_no_time() -> None:
    """Ten times a limit of 0.1 is no rate below one; a scope that nobody samples is never judged; noise can drown a
    small shift.
    """
    assert [harm.rows is None for harm in harms(Kind.RATE, NONE, 0.1, ALL)] == [False, False, False, True]
    unseen = Clock(own=0.0, samples=0.5, log_budget=20.0, per_second=10.0)
    assert all(harm.seconds is None for harm in harms(Kind.RATE, NONE, 0.02, unseen))
    drowned = next(harms(Kind.MEAN, np.array([-1.0, 1.0]), 0.001, ALL))
    assert (drowned.value, drowned.requests) == (0.002, None)


SPELLED = {
    0.4: "0 s", 89: "89 s", 91: "2 min", 5_300: "88 min", 5_401: "1.5 h", 172_000: "47.8 h", 259_200: "3 d",
    1e9: "11,574 d", None: "never",
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "said"), SPELLED.items())
def test_time_is_spelled_in_a_fitting_unit(seconds: float | None, said: str) -> None:
    """Seconds, minutes, hours or days."""
    assert spell(seconds) == said
