import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import msgpack

from tests.support.judgement.comparisons import RowSource, judged_count, make_comparisons, make_plan, open_tick_rows
from tests.support.judgement.judge_harness import HOST, JudgeHarness, harm_and_recovery, lenient
from tightrope.monitors.records import Event
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, topic
from tightrope.service.adapters.wire import record_codec


@pytest.fixture
def harness(tmp_path: Path) -> JudgeHarness:
    """Provide a bus, a state file, and the plan for one model ``m``."""
    return JudgeHarness(tmp_path)


def transitions(harness: JudgeHarness) -> list[tuple[str, str, str]]:
    """List the events: scope, kind, and the state after each."""
    return [(e.scope, e.kind, _detail(e)["after"]["state"]) for e in harness.events()]


def _detail(event: Event) -> dict[str, Any]:
    return dict(event.detail)


def test_harmed_subgroup_goes_to_safe_mode_and_returns(harness: JudgeHarness) -> None:
    """Only the harmed scope changes its mode; the events follow in order."""
    harness.publish(*harm_and_recovery(RowSource()))
    harness.drain(harness.judge())
    assert transitions(harness) == [
        ("group=a", "breach", "safe"),
        ("group=a", "dwell-elapsed", "safe"),
        ("group=a", "recovered", "normal"),
    ]
    assert judged_count(harness.saved_state()) == 480


def test_transition_is_an_event_with_its_evidence(harness: JudgeHarness) -> None:
    """The event holds trajectory, limit, counts, offsets, artefacts, host and configuration: enough to repeat the
    decision.
    """
    batches = [
        replace(batch, trace_id=np.array([f"t-{offset}" for offset in batch.offset.tolist()], object))
        for batch in harm_and_recovery(RowSource())
    ]
    harness.publish(*batches)
    harness.drain(harness.judge())
    breach = harness.events()[0]
    detail = _detail(breach)
    (case,) = detail["monitors"]
    assert (case["monitor"], case["limit"], case["threshold"]) == ("disagreement", 0.1, pytest.approx(3.0))
    assert case["evidence"] >= case["threshold"] > case["path"][-2]
    assert case["path"][-1] == round(case["evidence"], 3)
    last = detail["last"]["offset"]
    rows = [bool(d) for batch in batches for d in batch.disagree[batch.member[:, 0] & (batch.offset <= last)]]
    assert (case["count"], case["recent_count"], case["recent_mean"]) == (len(rows), len(rows), np.mean(rows))
    assert (detail["log"], detail["first"]) == ("log-1", {"partition": 0, "offset": last - 15})
    digest = harness.store.redacted([replace(breach, detail={"request_id": f"0-{last}"})])[0].detail["request_digest"]
    assert (detail["samples"], detail["request_digest"]) == (last + 1, digest)
    assert detail["trace_id"] == f"t-{last}", "the row that gave the last evidence leads to its trace"
    assert (detail["baseline_digest"], detail["compressed_digest"], detail["plan_digest"]) == ("b1", "c1", "d1")
    assert (detail["judge_host"], detail["armed"]) == (HOST, True)
    assert (breach.actor, breach.time) == ("judge", float(last))
    assert breach.reason.startswith(f"disagreement {100 * np.mean(rows):.0f} in 100 (")
    assert f", last {len(rows)} rows), limit 10, since about " in breach.reason
    assert (detail["before"]["state"], detail["after"]["since"], detail["moved"]) == ("normal", float(last), True)
    json.dumps(detail, allow_nan=False)


def test_routes_follow_each_change_with_rising_epochs(harness: JudgeHarness) -> None:
    """The judge publishes the current modes at its start and after each round that changes them."""
    judge = harness.judge()
    harness.collect_routes()
    assert [(r.epoch, r.safe, r.order) for r in harness.routes] == [(0, (), "")]
    for batch in harm_and_recovery(RowSource()):
        harness.publish(batch)
        harness.drain(judge)
    assert [(r.epoch, r.safe) for r in harness.routes] == [(0, ()), (1, ("group=a",)), (2, ("group=a",)), (3, ())]
    assert harness.routes[1].states == {
        "model": "normal",
        "group=a": "safe",
        "group=b": "normal",
        "half=left": "normal",
    }


def test_second_harm_after_the_return_is_a_second_breach(harness: JudgeHarness) -> None:
    """A subgroup that is harmed again after its return goes to safe mode again; the audit trail has both breaches."""
    traffic = RowSource()
    harness.publish(*harm_and_recovery(traffic), *harm_and_recovery(traffic))
    harness.drain(harness.judge())
    happened = [(e.kind, e.time) for e in harness.events()]
    assert [kind for kind, _ in happened].count("breach") == 2
    assert happened == sorted(set(happened), key=lambda one: one[1])


def test_advisory_plan_routes_no_scope_to_the_baseline(tmp_path: Path) -> None:
    """The states say safe, but no scope is routed to the baseline."""
    harness = JudgeHarness(tmp_path, {"m": lenient(armed=False)})
    judge = harness.judge()
    for batch in harm_and_recovery(RowSource()):
        harness.publish(batch)
        harness.drain(judge)
    assert transitions(harness)[0] == ("group=a", "breach", "safe")
    assert _detail(harness.events()[0])["armed"] is False
    assert {r.safe for r in harness.routes} == {()}
    assert "safe" in {r.states["group=a"] for r in harness.routes}


def test_routes_are_published_again_at_start(harness: JudgeHarness) -> None:
    """A gateway that starts after the judge receives the modes without waiting for the next change."""
    harness.order("force-safe", "group=b")
    harness.drain(harness.judge())
    harness.routes.clear()
    harness.judge()
    harness.collect_routes()
    assert [(r.epoch, r.safe, r.order) for r in harness.routes] == [(1, ("group=b",), "")]


def test_own_events_are_reported_once_they_are_saved(harness: JudgeHarness) -> None:
    """Those of a gateway are the gateway's to report."""
    judge = harness.judge()
    reported: list[tuple[str, int]] = []
    harness.view._on_event = lambda event: reported.append((event.kind, len(harness.events())))
    harness.publish_event(Event("e1", 1.5, "m", "model-failed", "model", "gateway", "run_failed: no", {}))
    harness.publish(*harm_and_recovery(RowSource()))
    harness.drain(judge)
    assert [kind for kind, _ in reported] == ["breach", "dwell-elapsed", "recovered"]
    assert all(saved >= number for number, (_, saved) in enumerate(reported, 2))


def test_event_of_a_gateway_is_kept_once(harness: JudgeHarness) -> None:
    """An event that is delivered twice is stored once, unchanged."""
    event = Event("e1", 1.5, "m", "model-failed", "model", "gateway", "run_failed: no", {"role": "compressed"})
    harness.publish_event(event)
    harness.publish_event(event)
    harness.drain(harness.judge())
    assert harness.events() == [event]


SOUND = make_comparisons(10)
BEYOND = make_comparisons(10, offset=np.arange(50, 60), confidence_compressed=7.0)
POISON = {
    "garbage": (COMPARISONS, b"\xc1"),
    "garbled order": (CONTROL, record_codec.encode_comparisons(SOUND)[:-5]),
    "garbled event": (EVENTS, b""),
    "a version to come": (
        COMPARISONS,
        msgpack.encode({"schema": record_codec.COMPARISONS_SCHEMA, "version": 9, "body": {}}),
    ),
    "another model": (COMPARISONS, record_codec.encode_comparisons(replace(SOUND, model="nobody"))),
    "no probability": (COMPARISONS, record_codec.encode_comparisons(BEYOND)),
}


@pytest.mark.parametrize("name", POISON)
def test_garbage_is_counted_and_skipped(tmp_path: Path, name: str) -> None:
    """Later records are judged as usual, and the garbage is not read again."""
    harness = JudgeHarness(tmp_path, {"m": make_plan("confidence", tick_rows=16)})
    place, poison = POISON[name]
    harness.publish(SOUND)
    harness.bus.publish(topic(place), poison)
    harness.publish(replace(SOUND, offset=SOUND.offset + 100, time=SOUND.time + 10))
    harness.drain(harness.judge())
    assert harness.metrics.total("dead_records", topic=topic(place)) == 1
    assert (judged_count(harness.saved_state()), open_tick_rows(harness.saved_state()).offset.tolist()) == (
        16,
        [106, 107, 108, 109],
    )
    harness.drain(harness.judge())
    assert harness.metrics.total("dead_records", topic=topic(place)) == 1, "it came back"


def test_models_are_judged_separately(tmp_path: Path) -> None:
    """Harm in one model changes no other model; each model has its own snapshot."""
    harness = JudgeHarness(tmp_path, {"m": lenient(), "n": lenient("n")})
    harness.publish(*(replace(batch, model="n") for batch in list(harm_and_recovery(RowSource()))[:18]))
    harness.publish(RowSource().rows(32))
    harness.drain(harness.judge())
    assert {e.model for e in harness.events()} == {"n"}
    assert (judged_count(harness.saved_state("m")), judged_count(harness.saved_state("n"))) == (32, 176)
    assert {r.model: r.safe for r in harness.routes} == {"m": (), "n": ("group=a",)}


def test_rows_of_another_artefact_are_counted_and_not_judged(harness: JudgeHarness) -> None:
    """Stale comparisons are evidence about another model, so they are only counted."""
    harmful = make_comparisons(100, member=True, disagree=True)
    harness.publish(replace(harmful, compressed_digest="another"))
    judge = harness.judge()
    harness.drain(judge)
    assert harness.view.progress("m")["stale"] == 100
    assert harness.view.progress("m")["seen"] == 0
    assert harness.events() == []


def test_metrics_show_the_decision_at_once(harness: JudgeHarness) -> None:
    """A breach does not wait for the next regular update of the metrics."""
    judge = harness.judge()
    harness.publish(*list(harm_and_recovery(RowSource()))[:8])
    judge.step(0)
    at = {"model": "m", "scope": "group=a", "monitor": "disagreement"}
    assert harness.metrics.registry.get_sample_value("tightrope_verdict", {**at, "outcome": "breach"}) == 1
    assert harness.metrics.total("transitions", model="m", scope="group=a", input="breach") == 1
    assert harness.metrics.registry.get_sample_value("tightrope_lag_records", {"reader": "judges"}) == 0


def test_judge_reads_a_new_log_from_its_start(harness: JudgeHarness) -> None:
    """A new incarnation of the log counts offsets from zero; the saved modes and the open tick stay."""
    batches = list(harm_and_recovery(RowSource()))
    harness.publish(*batches[:19])
    harness.drain(harness.judge())
    harness.bus = MemoryBus()
    again = RowSource(offset=0, time=190.0)
    harness.publish(*(replace(again.rows(10), log="log-2", member=b.member, disagree=b.disagree) for b in batches[19:]))
    harness.drain(harness.judge())
    assert [kind for _, kind, _ in transitions(harness)] == ["breach", "dwell-elapsed", "recovered"]
    state = harness.saved_state()
    assert judged_count(state) == 480
    assert (state.log, dict(state.watermarks)) == ("log-2", {0: 289})
    assert len({e.id for e in harness.events()}) == 3


def test_breach_names_the_hosts_of_its_rows(harness: JudgeHarness) -> None:
    """Not the judge's processor: the classes of the hosts that ran the compressed model."""
    for number, batch in enumerate(harm_and_recovery(RowSource())):
        hosts = np.where(batch.disagree | (number % 2 == 0), "avx2", "vnni").astype(object)
        harness.publish(replace(batch, host_class=hosts))
    harness.drain(harness.judge())
    breach = next(event for event in harness.events() if event.kind == "breach")
    counts = _detail(breach)["host_classes"]
    assert set(counts) == {"avx2", "vnni"}
    assert counts["vnni"]["disagreements"] == 0 < counts["avx2"]["disagreements"]
