"""A judge that starts under another configuration tells which settings changed, and which modes wait for a person."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import SCOPES, RowSource, make_plan
from tests.support.judgement.judge_harness import HOST, POLICY, JudgeHarness, harm_and_recovery, lenient
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.migration import migrate_state
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.records import Event
from tightrope.monitors.safemode import Input, Withholding
from tightrope.monitors.watch import build_routes
from tightrope.shadow.plan_changes import change_events

BEFORE = {"mode": "armed", "limits.disagreement": 0.02, "sampling.rate": 1.0}


def configured(**settings: object) -> Plan:
    """Build a plan with these settings in place of some of `BEFORE`; another limit has another digest."""
    merged = BEFORE | settings
    return replace(lenient(), settings=merged, digest=f"d {merged['limits.disagreement']}")


def restarted(folder: Path, *plans: Plan) -> tuple[JudgeHarness, list[Event]]:
    """Run a judge under each plan in turn, the first with harm; returns the last and the events of the others."""
    harness = JudgeHarness(folder, {"m": plans[0]})
    harness.publish(*list(harm_and_recovery(RowSource()))[:16])
    harness.drain(harness.judge())
    seen = len(harness.events())
    for plan in plans[1:]:
        harness.plans = {"m": plan}
        harness.reopen()
        harness.drain(harness.judge())
    return harness, harness.events()[seen:]


def test_changed_limit_is_an_event_with_both_values(tmp_path: Path) -> None:
    """It has the digests, and says that the evidence starts anew."""
    after = configured(**{"limits.disagreement": 0.5, "sampling.rate": 0.1})
    harness, (event,) = restarted(tmp_path, configured(), after)
    assert (event.kind, event.scope, event.actor) == ("configuration-changed", "model", "judge")
    assert event.reason == "limits.disagreement: 0.02 -> 0.5; sampling.rate: 1.0 -> 0.1; the evidence starts anew"
    detail = json.loads(json.dumps(event.detail))
    assert detail["changes"]["sampling.rate"] == {"before": 1.0, "after": 0.1}
    assert detail["plan_digest"] == {"before": "d 0.02", "after": "d 0.5"}
    assert (detail["evidence"], detail["host"]) == ("starts anew", HOST)
    assert harness.saved_state().retained.settings == after.settings


def test_change_that_evidence_does_not_depend_on_is_told_too(tmp_path: Path) -> None:
    """From armed to advisory: the evidence is kept, and the gateways get routes that are newer."""
    before, after = configured(), replace(configured(mode="advisory"), armed=False)
    harness, (event,) = restarted(tmp_path, before, after)
    assert event.reason == "mode: armed -> advisory; the evidence is kept"
    assert harness.saved_state().compared.any()
    last, previous = harness.routes[-1], next(r for r in harness.routes if r.safe)
    assert (last.safe, previous.safe) == ((), ("group=a",))
    assert last.epoch > previous.epoch


def unwritten() -> Plan:
    """Build a plan without a written mode."""
    return replace(configured(mode="advisory"), armed=False, keeps_armed=True)


def test_model_that_was_armed_stays_armed_without_a_written_mode(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At this start and the next one: no event, the baseline goes on answering the harmed scope, and a line says so."""
    harness, events = restarted(tmp_path, configured(), unwritten())
    state = harness.saved_state()
    assert (events, state.retained.settings["mode"]) == ([], "armed")
    assert build_routes(unwritten(), state).safe == ("group=a",)
    assert build_routes(unwritten(), migrate_state(replace(unwritten(), digest="other"), state)).safe == ("group=a",)
    assert harness.view.is_armed("m")
    assert "models.m.mode: armed, although it is not written" in caplog.text


def test_state_of_a_version_without_settings_was_armed(tmp_path: Path) -> None:
    """That version had no other default."""
    harness, _ = restarted(tmp_path, replace(configured(), settings={}), unwritten())
    assert build_routes(unwritten(), harness.saved_state()).safe == ("group=a",)


def test_new_model_without_a_written_mode_is_advisory(tmp_path: Path) -> None:
    """From the first row on, and after a restart; a written mode disarms a model that was armed."""
    harness, _ = restarted(tmp_path, unwritten(), unwritten())
    assert {routes.safe for routes in harness.routes} == {()}
    assert not harness.view.is_armed("m")


def test_same_configuration_is_no_event(tmp_path: Path) -> None:
    """Neither at the next start, nor where the earlier settings are unknown."""
    assert restarted(tmp_path, configured(), configured())[1] == []
    (tmp_path / "unknown").mkdir()
    unknown = replace(configured(), settings={})
    harness, events = restarted(tmp_path / "unknown", unknown, configured())
    assert (events, harness.saved_state().retained.settings) == ([], BEFORE)


def test_lost_scope_in_safe_mode_is_an_event_and_the_baseline_answers_all(tmp_path: Path) -> None:
    """The event names the commands; it comes once."""
    monitor = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.4, 0.1, 0.1]))
    rules = build_rules([monitor], POLICY.recovery_ratio)
    gone = make_plan(scopes=SCOPES[1:], rules=rules, policy=POLICY, tick_rows=16, digest="d2", settings=BEFORE)
    harness, events = restarted(tmp_path, configured(), gone, gone)
    (event,) = [event for event in events if event.kind == "mode-orphaned"]
    assert event.scope == "group=a"
    assert "tightrope modes move" in event.reason
    assert event.detail == {"state": "safe", "held": False, "monitors": ["disagreement"]}
    assert harness.routes[-1].safe == ("model",)


@pytest.mark.parametrize("same", [True, False])
def test_another_digest_of_the_same_settings_is_told_unless_the_artefact_changed(*, same: bool) -> None:
    """A deployment has an event of its own; evidence that starts anew without one would be a riddle."""
    old = initial_state(configured())
    plan = replace(configured(), digest="d9", compressed_digest=old.compressed_digest if same else "c9")
    reasons = [event.reason for event in change_events(plan, old, initial_state(plan), 5.0, HOST)]
    assert reasons == ["another version of Tightrope reads the same settings; the evidence starts anew"] * same


def test_reason_names_the_first_changes() -> None:
    """All of them are in the detail."""
    plan = replace(configured(), settings={f"s{number}": number for number in range(9)}, digest="d2")
    (event,) = change_events(plan, initial_state(configured()), initial_state(plan), 5.0, HOST)
    assert event.reason.count("->") == 5
    assert event.reason.endswith("7 more; the evidence starts anew")
    assert len(event.detail["changes"]) == 12  # type: ignore[arg-type]


def test_statement_that_withholds_a_scope_is_told_once(tmp_path: Path) -> None:
    """A fresh start applies it before the first row, and the next start does not apply it again."""
    plan = replace(lenient(), withholding=Withholding("q1", ("group=b",), "not proved by q1"))
    harness = JudgeHarness(tmp_path, {"m": plan})
    harness.drain(harness.judge())
    harness.reopen()
    harness.drain(harness.judge())
    told = [event for event in harness.events() if event.kind == Input.WITHHELD]
    assert [(event.scope, event.reason) for event in told] == [("group=b", "not proved by q1")]
    assert build_routes(plan, harness.view.states["m"]).safe == ("group=b",)
