"""Savings and the cost of safety add up, in the shares of the cost page; what is not known is null."""

from datetime import date
from typing import Any

import pytest

from tests.support.week.simulated import ledger_day
from tightrope.monitors.cost.days import RoleCounts, summed_cpu
from tightrope.monitors.cost.shares import ModelCpu, cpu_shares
from tightrope.service.adapters.ledger.day_cost import DayCost
from tightrope.service.api.week.costs import NO_PRICE, HourPrice, safety, saving, week_costs

DAYS = [ledger_day(date(2026, 11, 23)), ledger_day(date(2026, 11, 24), blind_seconds=60.0)]
PRICE = HourPrice(2.0, "EUR")


def with_cpu(**changes: Any) -> DayCost:  # noqa: ANN401 - seconds
    """A day with other seconds."""
    fields = {"answer": 900.0, "fallback": 0.0, "answer_by_baseline": 3600.0, "fallback_by_compressed": 0.0}
    return ledger_day(date(2026, 11, 25), cpu=ModelCpu(**{**fields, **changes}))


def test_hours_are_the_shares_of_the_cost_page() -> None:
    """Saved, less watching, fallbacks and escalations, is what is left."""
    costs, shares = week_costs(DAYS), cpu_shares(summed_cpu([day.cpu for day in DAYS]))
    assert shares is not None
    assert costs.alone is not None
    assert costs.saved / costs.alone == pytest.approx(shares.saved)
    assert (costs.comparing or 0) / costs.alone == pytest.approx(shares.watching)
    assert costs.instead / costs.alone == pytest.approx(shares.fallbacks)
    assert costs.left == pytest.approx(shares.in_all * costs.alone)
    assert costs.blind_seconds == 60.0


def test_money_is_hours_times_the_price() -> None:
    """Without a price no money is named."""
    saved, spent = saving(week_costs(DAYS), PRICE, recorded=True), safety(week_costs(DAYS), PRICE, recorded=True)
    assert saved["saved_money"] == pytest.approx(2.0 * (saved["saved_hours"] or 0))
    assert spent["money"] == pytest.approx(2.0 * (spent["hours"] or 0))
    assert any("EUR" in says for says in saved["says"])
    bare = saving(week_costs(DAYS), NO_PRICE, recorded=True)
    assert (bare["saved_money"], bare["left_money"]) == (None, None)
    assert "EUR" not in " ".join(bare["says"])


def test_comparing_that_is_counted_elsewhere_is_not_free() -> None:
    """The rest is not known then."""
    costs = week_costs([with_cpu(shadow=None)])
    assert (costs.comparing, costs.safety, costs.left) == (None, None, None)
    assert saving(costs, PRICE, recorded=True)["left_money"] is None
    assert safety(costs, PRICE, recorded=True)["hours"] is None
    assert "not known here" in safety(costs, PRICE, recorded=True)["says"][0]


def test_day_whose_time_is_not_known_is_left_out_and_counted() -> None:
    """Its answers count, and its hours do not."""
    costs = week_costs([DAYS[0], with_cpu(answer_by_baseline=None)])
    assert (costs.unknown_days, costs.small_rows) == (1, 1840)
    assert costs.saved == week_costs(DAYS[:1]).saved


def test_small_model_that_takes_longer_is_said_to_cost_more() -> None:
    """With plain words, and no minus sign."""
    says = " ".join(saving(week_costs([with_cpu(answer=7200.0)]), PRICE, recorded=True)["says"])
    assert "the small model took about 1.0 hours more" in says
    assert "more were spent than the full model alone would take" in says
    assert "-" not in says


def test_no_answers_and_no_record_are_told_apart() -> None:
    """Neither is said to have saved nothing."""
    idle = week_costs([ledger_day(date(2026, 11, 23), rows=RoleCounts(), cpu=ModelCpu())])
    assert saving(idle, PRICE, recorded=True)["says"] == ["Nothing was answered."]
    nothing = saving(week_costs([]), PRICE, recorded=False)
    assert nothing["says"] == ["That is not known: no day of this week is on record."]
    assert (nothing["small_share"], nothing["saved_hours"], nothing["left_hours"]) == (None, None, None)
    assert safety(week_costs([]), PRICE, recorded=False)["share"] is None


def test_asking_again_is_named_where_it_happened() -> None:
    """And counts as a cost of safety."""
    costs = week_costs([with_cpu(escalation=360.0)])
    assert costs.safety == 360.0
    assert "asking the full model again" in safety(costs, PRICE, recorded=True)["says"][0]
