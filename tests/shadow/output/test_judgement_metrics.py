"""Metrics of a judge's models are updated when they have changed, at most once in five seconds."""

from dataclasses import replace

from prometheus_client import CollectorRegistry

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.status.reliability import ModelReliability
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.output.judgement_metrics import JudgementMetrics


def budget(metrics: Metrics, model: str) -> float | None:
    """A gauge that every update sets."""
    value = metrics.registry.get_sample_value("tightrope_evidence_budget", {"model": model})
    return None if value is None else round(value, 6)


def test_changed_models_are_shown_at_once_or_when_it_is_time() -> None:
    """Models of another judge are shown no more."""
    plans = {name: lenient(name) for name in ("m", "n")}
    view, metrics = JudgementView(plans), Metrics(CollectorRegistry())
    view.states = {name: initial_state(plan) for name, plan in plans.items()}
    figures = JudgementMetrics(metrics, view)
    figures.restart(["m"])
    assert (budget(metrics, "m"), budget(metrics, "n")) == (3.0, None)
    figures.mark(["n"], at_once=False)
    assert budget(metrics, "n") is None
    figures.mark([], at_once=True)
    assert budget(metrics, "n") == 3.0
    figures.restart(["n"])
    assert (budget(metrics, "m"), budget(metrics, "n")) == (None, 3.0)


def test_pauses_between_bursts_bring_no_more_updates() -> None:
    """A judge without records shows what has changed, but no sooner than five seconds after the last time."""
    view, metrics, now = JudgementView({"m": lenient("m")}), Metrics(CollectorRegistry()), 100.0
    view.states = {"m": initial_state(view.plans["m"])}
    figures = JudgementMetrics(metrics, view, lambda: now)
    figures.restart([])
    figures.mark(["m"], at_once=False)
    for now, shown in ((104.9, None), (105.1, 3.0)):  # noqa: B007 - the clock reads it
        figures.refresh()
        assert budget(metrics, "m") == shown


def test_curves_are_computed_again_only_after_labels() -> None:
    """Their bands take longer than other figures."""
    plan = replace(lenient("m"), label_horizon=60.0, curves=CurveBins())
    view, calls = JudgementView({"m": plan}), []

    class Counting(Metrics):
        """Metrics that count updates of curves."""

        def set_reliability(self, model: str, found: ModelReliability | None) -> None:
            """Count one."""
            calls.append((model, found is not None))

    view.states = {"m": initial_state(plan)}
    figures = JudgementMetrics(Counting(CollectorRegistry()), view)
    figures.restart(["m"])
    view.states = {"m": replace(view.states["m"], epoch=9)}
    figures.mark(["m"], at_once=True)
    assert calls == [("m", True)]
    view.states = {"m": initial_state(plan)}
    figures.mark(["m"], at_once=True)
    assert len(calls) == 2
