"""Metrics of a judge's models are updated when they have changed, at most once in five seconds."""

from prometheus_client import CollectorRegistry

from tests.support.judgement.judge_harness import lenient
from tightrope.monitors.plan import initial_state
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
