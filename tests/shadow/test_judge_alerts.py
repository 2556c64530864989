"""The judge passes active alerts to the pager at its start and on each change."""

from collections.abc import Collection, Sequence
from pathlib import Path
from threading import Event as Flag

from tests.support.judgement.comparisons import RowSource
from tests.support.judgement.judge_harness import HOST, JudgeHarness, harm_and_recovery
from tightrope.service.adapters.ports import Alert, NoPager
from tightrope.shadow.alerts import HELD_ALERT, SAFE_MODE_ALERT
from tightrope.shadow.judge import Judge


class Recorder(NoPager):
    """A pager that records its calls."""

    def __init__(self) -> None:
        self.heard: list[list[Alert]] = []

    def set_models(self, models: Collection[str]) -> None:
        """Record the models."""
        self.ours = list(models)

    def set_alerts(self, model: str, alerts: Sequence[Alert]) -> None:
        """Record the alerts."""
        assert model == "m"
        self.heard.append(list(alerts))


def judge(harness: JudgeHarness, pager: Recorder) -> Judge:
    """Start a judge with this pager."""
    return Judge(harness.bus, harness.store, harness.view, harness.metrics, HOST, Flag(), pager=pager)


def test_alert_is_active_from_the_breach_to_the_return(tmp_path: Path) -> None:
    """It carries the evidence of the breach; rounds without a change make no call."""
    harness, pager = JudgeHarness(tmp_path), Recorder()
    started = judge(harness, pager)
    for batch in harm_and_recovery(RowSource()):
        harness.publish(batch)
        harness.drain(started)
    assert pager.heard[0] == pager.heard[-1] == []
    spoken = [alerts for alerts in pager.heard if alerts]
    assert spoken
    breach = harness.events()[0]
    first = spoken[0][0]
    assert (first.name, first.scope, first.since) == (SAFE_MODE_ALERT, "group=a", breach.time)
    assert (first.annotations["event"], first.annotations["evidence"][:14]) == (breach.id, "disagreement: ")
    assert len(pager.heard) <= 2 + len(harness.events())


def test_restarted_judge_passes_on_the_alerts_that_are_still_active(tmp_path: Path) -> None:
    """The alert comes without evidence; the outbox keeps the earlier annotations."""
    harness = JudgeHarness(tmp_path)
    batches = list(harm_and_recovery(RowSource()))
    harness.publish(*batches[:16])
    harness.drain(harness.judge())
    assert [event.kind for event in harness.events()] == ["breach"]
    harness.reopen()
    pager = Recorder()
    judge(harness, pager)
    ((alert,),) = pager.heard
    assert pager.ours == ["m"]
    assert (alert.name, alert.scope, alert.since) == (SAFE_MODE_ALERT, "group=a", None)


def test_breach_of_a_held_scope_has_an_alert_and_a_metric_until_the_next_order(tmp_path: Path) -> None:
    """The compressed model goes on answering the scope, as the operator said; the breach is in the audit trail."""
    harness, pager = JudgeHarness(tmp_path), Recorder()
    started = judge(harness, pager)
    harness.order("force-normal", "group=a")
    harness.drain(started)
    harness.publish(*list(harm_and_recovery(RowSource()))[:18])
    harness.drain(started)
    started._figures.update()
    shown = {"model": "m", "scope": "group=a"}
    assert [(alert.name, alert.scope) for alert in pager.heard[-1]] == [(HELD_ALERT, "group=a")]
    assert harness.metrics.registry.get_sample_value("tightrope_held_breach", shown) == 1
    assert [event.kind for event in harness.events()] == ["force-normal", "breach"]
    assert harness.routes[-1].safe == ()
    harness.order("release", "group=a", id_="o2")
    harness.drain(started)
    assert [(alert.name, alert.scope) for alert in pager.heard[-1]] == [(SAFE_MODE_ALERT, "group=a")]
    assert harness.metrics.registry.get_sample_value("tightrope_held_breach", shown) == 0
