"""The plan of a model whose reviews have a daily cap."""

from pathlib import Path

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan
from tightrope.monitors.review.common_rate import CommonRateExcess
from tightrope.monitors.veto.drawing import LabelDraw


def plan_of(folder: Path, **model: object) -> Plan:
    """The plan of the sound pair, with these settings."""
    return pair_of(folder, **{**sure_and_unsure(folder), **model}).plan


def test_digest_depends_on_the_least_probability_of_a_daily_cap_and_not_on_the_cap(tmp_path: Path) -> None:
    """The bets are made for the least one; the others come with each row. A review without a cap, its reviewers and its
    days leave the digest as it was.
    """

    def digest(**review: object) -> str:
        return plan_of(tmp_path, labels={}, review={"reviewers": {"ana": "ana"}, **review}).digest

    plain = plan_of(tmp_path, labels={}).digest
    assert digest() == digest(reviewers={"ben": "ben"}, keep_days=3) == digest(least_probability=0.2) == plain
    capped = digest(per_group_daily=20)
    assert digest(per_group_daily=90) == capped != plain
    assert digest(per_group_daily=20, least_probability=0.2) not in {plain, capped}


def test_daily_cap_reaches_the_draw_and_the_monitors_of_labels(tmp_path: Path) -> None:
    """Accuracy is bounded by the least probability, and excess risk takes the rows that it alone would draw."""
    labels, review = {"disagreements": 0.5, "random": 0.02}, {"reviewers": {"ana": "ana"}, "per_group_daily": 20}
    plan = plan_of(tmp_path, labels=labels, review=review)
    assert plan.label_draw == LabelDraw(0.5, 0.02, floor=0.05)
    rules = {rule.monitor.name: rule for rule in plan.rules}
    assert rules["accuracy"].bound == 20
    assert rules["excess_risk"].monitor.observe == CommonRateExcess(0.05)
    assert rules["brier"].monitor == CATALOGUE["brier"]
    plain = {rule.monitor.name: rule for rule in plan_of(tmp_path, labels=labels).rules}
    assert (plain["accuracy"].bound, plain["excess_risk"].monitor) == (2, CATALOGUE["excess_risk"])
