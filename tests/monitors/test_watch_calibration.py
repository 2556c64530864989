"""Calibration of a model of two classes: it passes once labels show it, in all bins that the golden rows gave."""

from dataclasses import replace

import numpy as np

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan, monitor_specs, verdicts_by_cell
from tightrope.monitors.budget import build_rules
from tightrope.monitors.observations import CalibrationGap, bin_names
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons, Outcome, Stream
from tightrope.monitors.reliability.curve_bins import CurveBins

BINS = CurveBins((0.6, 0.7, 0.8, 0.9), (0.75,), golden=True)


def golden_plan() -> Plan:
    """A plan of calibration whose bins golden rows chose."""
    (spec,) = monitor_specs("calibration", scopes=())
    chosen = replace(spec, monitor=replace(spec.monitor, observe=CalibrationGap(BINS.model)))
    rules = build_rules([replace(chosen, variants=bin_names(BINS.model))], 0.75)
    return make_plan("calibration", scopes=(), rules=rules, label_horizon=1e6, curves=BINS)


def labelled(n: int, excess: float = 0.0, seed: int = 7) -> Comparisons:
    """Labelled rows of two classes; from 0.9 on the compressed model is surer than right by ``excess``."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.5, 1, n)
    right = rng.random(n) < np.where(confidence >= 0.9, confidence - excess, confidence)
    return RowSource().rows(
        n,
        scopes=(),
        confidence_baseline=confidence,
        confidence_compressed=confidence,
        correct_baseline=right,
        correct_compressed=right,
    )


def test_model_of_two_classes_passes_with_enough_labels() -> None:
    """Not after the first hundreds, and after twenty thousand in all five bins: each needs up to about 2,400."""
    plan = golden_plan()
    few, _ = judge_rows(plan, labelled(1_024), stream=Stream.LABELS)
    many, moved = judge_rows(plan, labelled(20_480), stream=Stream.LABELS)
    before, after = (verdicts_by_cell(plan, state)["model", "calibration"] for state in (few, many))
    assert (before.outcome, after.outcome) == (Outcome.INSUFFICIENT, Outcome.PASS)
    assert before.more is not None
    assert moved == []


def test_breach_names_the_bin() -> None:
    """Confidence from 0.9 on lies 0.15 above the truth."""
    plan = golden_plan()
    _, moved = judge_rows(plan, labelled(20_480, excess=0.15), stream=Stream.LABELS)
    assert [t.scope for t in moved if t.moved] == ["model"]
    assert "calibration (0.9 to 1)" in moved[0].reason
