"""The reliability curves of a model: every scope, and where the bins come from."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Comparisons, Stream
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.monitors.status.reliability import BinSource, model_reliability

SCOPES = ("half=left", "half=right")


def plan_with(bins: CurveBins | None) -> Plan:
    """A plan with these bins of its curves."""
    return make_plan("accuracy", scopes=SCOPES, label_horizon=60.0, curves=bins)


def labelled(n: int) -> Comparisons:
    """Labelled rows; the compressed model is surer than right in the left half."""
    left = np.arange(n) % 2 == 0
    right = np.arange(n) % 5 > 0
    return RowSource().rows(
        n,
        scopes=SCOPES,
        member=np.stack([left, ~left], axis=1),
        confidence_baseline=0.8,
        confidence_compressed=np.where(left, 0.95, 0.8),
        correct_baseline=right,
        correct_compressed=right,
    )


def test_every_scope_has_both_curves_of_its_own_labels() -> None:
    """The harmed half shows a gap, the other one none; the fold of labelled rows fills them."""
    plan = plan_with(CurveBins((0.7, 0.9), (0.9,), golden=True))
    state, _ = judge_rows(plan, labelled(2048), stream=Stream.LABELS)
    found = model_reliability(plan, state)
    assert found is not None
    assert (found.bins, found.dependent) == (BinSource.GOLDEN, False)
    assert [(each.scope, each.labels, len(each.curves[0].bins)) for each in found.scopes] == [
        ("model", 2048, 3),
        ("half=left", 1024, 2),
        ("half=right", 1024, 2),
    ]
    gaps = [each.gap for each in found.scopes]
    assert [round(gap.mean, 3) for gap in gaps if gap] == [0.075, 0.15, 0.0]
    assert [gap.lower > 0 for gap in gaps if gap] == [True, True, False]


def test_compared_rows_without_labels_show_nothing() -> None:
    """Only labels do."""
    plan = plan_with(CurveBins())
    state, _ = judge_rows(plan, labelled(256))
    found = model_reliability(plan, state)
    assert found is not None
    assert (found.bins, [each.labels for each in found.scopes]) == (BinSource.DEFAULT, [0, 0, 0])


def test_model_without_labels_has_no_curves() -> None:
    """None, and not an empty curve."""
    plan = plan_with(None)
    assert model_reliability(plan, initial_state(plan)) is None


def test_state_of_an_earlier_version_has_empty_curves() -> None:
    """It is shown all the same."""
    plan = plan_with(CurveBins())
    found = model_reliability(plan, replace(initial_state(plan), curves=CurveSums.fresh(0)))
    assert found is not None
    assert [each.labels for each in found.scopes] == [0, 0, 0]
