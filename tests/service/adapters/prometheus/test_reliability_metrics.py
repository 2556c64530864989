"""Gauges of reliability curves: each model's own, and none that is made up."""

import math

import numpy as np
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Stream
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.status.reliability import model_reliability
from tightrope.service.adapters.prometheus.metrics import Metrics

PLAN = make_plan("accuracy", scopes=("a=b",), label_horizon=60.0, curves=CurveBins((0.7, 0.9), (0.75,), golden=True))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of a gauge of the model; None where there is no such series."""
    return metrics.registry.get_sample_value(f"tightrope_{name}", {"model": "m", **labels})


def test_each_model_has_the_figures_of_its_curve() -> None:
    """The compressed model says 0.95 and its baseline 0.8; both are right in four of five rows."""
    right = np.arange(640) % 5 > 0
    rows = RowSource().rows(
        640,
        scopes=("a=b",),
        member=True,
        confidence_baseline=0.8,
        confidence_compressed=0.95,
        correct_baseline=right,
        correct_compressed=right,
    )
    state, _ = judge_rows(PLAN, rows, stream=Stream.LABELS)
    metrics = Metrics(CollectorRegistry())
    metrics.set_reliability("m", model_reliability(PLAN, state))
    compressed = {"role": "compressed", "bin": "03"}
    figures = [value(metrics, f"reliability_{name}", **compressed) for name in ("confidence", "accuracy")]
    assert [round(figure or 0, 6) for figure in figures] == [0.95, 0.8]
    lower, upper = (value(metrics, f"reliability_{name}", **compressed) for name in ("lower", "upper"))
    assert lower is not None
    assert upper is not None
    assert 0 < lower < 0.15 < upper
    assert round(value(metrics, "calibration_error", role="compressed", scope="model") or 0, 6) == 0.15
    assert round(value(metrics, "calibration_error", role="baseline", scope="a=b") or 0, 6) == 0
    of_subgroup = value(metrics, "subgroup_overconfidence", role="compressed", scope="a=b", bin="high")
    assert round(of_subgroup or 0, 6) == 0.15
    assert math.isnan(value(metrics, "reliability_accuracy", role="baseline", bin="01") or 0)
    assert value(metrics, "reliability_accuracy", role="baseline", bin="04") is None


def test_model_without_labels_has_no_series() -> None:
    """Nor has one whose decisions have no confidence."""
    metrics = Metrics(CollectorRegistry())
    metrics.set_reliability("m", None)
    assert value(metrics, "calibration_error", role="baseline", scope="model") is None
    metrics.set_reliability("m", model_reliability(PLAN, initial_state(PLAN)))
    assert math.isnan(value(metrics, "calibration_error", role="baseline", scope="model") or 0)
