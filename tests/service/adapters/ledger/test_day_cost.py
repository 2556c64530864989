"""Amounts of several parts become the cost of a day."""

from datetime import date

import pytest

from tightrope.monitors.cost.amounts import CostAmounts, CostPart
from tightrope.monitors.cost.days import RoleCounts
from tightrope.service.adapters.ledger.day_cost import day_cost

DAY = date(2026, 11, 30)
GATEWAY = CostAmounts(
    requests_compressed=2,
    requests_baseline=1,
    rows_compressed=20,
    rows_baseline=10,
    answer=4.0,
    fallback=2.0,
    escalation=1.0,
    answer_by_baseline=6.0,
    fallback_by_compressed=1.0,
    blind_seconds=3.0,
)


def test_parts_of_a_day_add_up() -> None:
    """Two gateways and a worker are one day."""
    worker = CostAmounts(shadow=5.0)
    day = day_cost(DAY, {CostPart.GATEWAY: GATEWAY.plus(GATEWAY), CostPart.WORKER: worker})
    assert (day.requests, day.rows) == (RoleCounts(4, 2), RoleCounts(40, 20))
    assert (day.cpu.answer, day.cpu.fallback, day.cpu.escalation, day.cpu.shadow) == (8.0, 4.0, 2.0, 5.0)
    assert (day.cpu.answer_by_baseline, day.cpu.fallback_by_compressed) == (12.0, 2.0)
    assert (day.blind_seconds, day.estimate, day.parts) == (6.0, False, ("gateway", "worker"))


def test_shadow_is_unknown_where_no_worker_has_counted() -> None:
    """It is not said to be free; a worker that ran nothing has taken no time."""
    assert day_cost(DAY, {CostPart.GATEWAY: GATEWAY}).cpu.shadow is None
    assert day_cost(DAY, {CostPart.GATEWAY: GATEWAY, CostPart.WORKER: CostAmounts()}).cpu.shadow == 0.0


@pytest.mark.parametrize(("untimed", "known"), [(0.0, 6.0), (1.0, None)])
def test_saving_of_a_day_is_unknown_where_some_rows_have_no_estimate(untimed: float, known: float | None) -> None:
    """One row without an estimate makes the sum too small."""
    day = day_cost(DAY, {CostPart.GATEWAY: GATEWAY._replace(untimed_rows=untimed)})
    assert day.cpu.answer_by_baseline == known
    assert (day.cpu.fallback_by_compressed is None) is (known is None)


def test_runs_of_several_threads_mark_the_day_as_an_estimate() -> None:
    """One second of them is enough."""
    assert day_cost(DAY, {CostPart.GATEWAY: GATEWAY._replace(estimated=1.0)}).estimate
