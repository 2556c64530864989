"""The cost of several days is the sum of what is known, and unknown where a part of it is."""

from tightrope.monitors.cost.days import summed_cpu
from tightrope.monitors.cost.shares import ModelCpu, cpu_shares


def test_days_add_up() -> None:
    """Every part by itself."""
    one = ModelCpu(answer=1, fallback=2, escalation=3, shadow=4, answer_by_baseline=5, fallback_by_compressed=6)
    assert summed_cpu([one, one]) == ModelCpu(2, 4, 6, 8, 10, 12)


def test_sum_of_no_days_is_nothing() -> None:
    """It has no shares, and no part that another process has."""
    assert summed_cpu([]) == ModelCpu()
    assert cpu_shares(summed_cpu([])) is None


def test_estimate_that_a_day_lacks_is_not_known_for_all() -> None:
    """A saving over a part of the time is not the saving of all of it."""
    found = summed_cpu([ModelCpu(answer=1, answer_by_baseline=2), ModelCpu(answer=1, answer_by_baseline=None)])
    assert found.answer_by_baseline is None
    assert cpu_shares(found) is None


def test_shadow_is_unknown_only_where_no_day_has_it() -> None:
    """A day without a worker adds nothing to the days with one."""
    assert summed_cpu([ModelCpu(shadow=None), ModelCpu(shadow=2)]).shadow == 2
    assert summed_cpu([ModelCpu(shadow=None)]).shadow is None
