import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from tests.support.judgement.comparisons import Traffic, comparisons, plan, seen, waiting
from tests.support.judgement.judge_harness import HOST, Court, lenient, story
from tightrope.monitors.records import Event, Outcome
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, topic
from tightrope.service.adapters.wire import record_codec


@pytest.fixture
def court(tmp_path: Path) -> Court:
    """A bus, a state file, and the plan for one model ``m``."""
    return Court(tmp_path)


def kinds(court: Court) -> list[tuple[str, str, str]]:
    """What happened: to which scope, what, and the state it led to."""
    return [(e.scope, e.kind, _detail(e)["after"]["state"]) for e in court.events()]


def _detail(event: Event) -> dict[str, Any]:
    return dict(event.detail)


def test_harmed_subgroup_goes_to_safe_mode_and_returns(court: Court) -> None:
    """The whole story of one scope, and of it alone, as events in order."""
    court.publish(*story(Traffic()))
    court.drain(court.judge())
    assert kinds(court) == [
        ("group=a", "breach", "safe"),
        ("group=a", "dwell-elapsed", "safe"),
        ("group=a", "recovered", "normal"),
    ]
    assert seen(court.saved()) == 480


def test_transition_is_an_event_with_its_evidence(court: Court) -> None:
    """Path, limit, counts, offsets, artefacts, host and configuration: enough to judge the decision again."""
    batches = list(story(Traffic()))
    court.publish(*batches)
    court.drain(court.judge())
    breach = court.events()[0]
    detail = _detail(breach)
    (case,) = detail["monitors"]
    assert (case["monitor"], case["limit"], case["threshold"]) == ("disagreement", 0.1, pytest.approx(3.0))
    assert case["evidence"] >= case["threshold"] > case["path"][-2]
    assert case["path"][-1] == round(case["evidence"], 3)
    last = detail["last"]["offset"]
    rows = [bool(d) for batch in batches for d in batch.disagree[batch.member[:, 0] & (batch.offset <= last)]]
    assert (case["count"], case["recent_count"], case["recent_mean"]) == (len(rows), len(rows), np.mean(rows))
    assert (detail["log"], detail["first"]) == ("log-1", {"partition": 0, "offset": last - 15})
    assert (detail["samples"], detail["request_id"]) == (last + 1, f"0-{last}")
    assert (detail["baseline_digest"], detail["compressed_digest"], detail["plan_digest"]) == ("b1", "c1", "d1")
    assert (detail["host"], detail["armed"]) == (HOST, True)
    assert (breach.actor, breach.time) == ("judge", float(last))
    assert breach.reason == f"disagreement {np.mean(rows):.3f} over the last {len(rows)} rows, limit 0.1"
    assert (detail["before"]["state"], detail["after"]["since"], detail["moved"]) == ("normal", float(last), True)
    json.dumps(detail, allow_nan=False)


def test_routes_follow_every_change_and_only_grow(court: Court) -> None:
    """The gateways are told at the start and after every round that changed something, of the present state."""
    judge = court.judge()
    court.listen()
    assert [(r.epoch, r.safe, r.order) for r in court.told] == [(0, (), "")]
    for batch in story(Traffic()):
        court.publish(batch)
        court.drain(judge)
    assert [(r.epoch, r.safe) for r in court.told] == [(0, ()), (1, ("group=a",)), (2, ("group=a",)), (3, ())]
    assert court.told[1].states == {"model": "normal", "group=a": "safe", "group=b": "normal", "half=left": "normal"}


def test_same_thing_may_happen_twice(court: Court) -> None:
    """A subgroup that is harmed again after its return is saved again, and the audit trail has both."""
    traffic = Traffic()
    court.publish(*story(traffic), *story(traffic))
    court.drain(court.judge())
    happened = [(e.kind, e.time) for e in court.events()]
    assert [kind for kind, _ in happened].count("breach") == 2
    assert happened == sorted(set(happened), key=lambda one: one[1])


def test_advisory_plan_moves_nobody(tmp_path: Path) -> None:
    """It records what it would have done, and says so in the states; no scope is routed to the baseline."""
    court = Court(tmp_path, {"m": lenient(armed=False)})
    judge = court.judge()
    for batch in story(Traffic()):
        court.publish(batch)
        court.drain(judge)
    assert kinds(court)[0] == ("group=a", "breach", "safe")
    assert _detail(court.events()[0])["armed"] is False
    assert {r.safe for r in court.told} == {()}
    assert "safe" in {r.states["group=a"] for r in court.told}


def test_routes_are_told_again_at_start(court: Court) -> None:
    """A gateway that starts with the judge, or after it, learns the modes without waiting for the next change."""
    court.order("force-safe", "group=b")
    court.drain(court.judge())
    court.told.clear()
    court.judge()
    court.listen()
    assert [(r.epoch, r.safe, r.order) for r in court.told] == [(1, ("group=b",), "")]


def test_event_of_a_gateway_is_kept_once(court: Court) -> None:
    """Delivered twice, it stands in the audit trail once, as it was."""
    event = Event("e1", 1.5, "m", "model-failed", "model", "gateway", "run_failed: no", {"role": "compressed"})
    court.note(event)
    court.note(event)
    court.drain(court.judge())
    assert court.events() == [event]


SOUND = comparisons(10)
BEYOND = comparisons(10, offset=np.arange(50, 60), confidence_compressed=7.0)
POISON = {
    "garbage": (COMPARISONS, b"\xc1"),
    "garbled order": (CONTROL, record_codec.encode_comparisons(SOUND)[:-5]),
    "garbled event": (EVENTS, b""),
    "a version to come": (COMPARISONS, msgpack.packb({"schema": record_codec.COMPARISONS, "version": 9, "body": {}})),
    "another model": (COMPARISONS, record_codec.encode_comparisons(replace(SOUND, model="nobody"))),
    "no probability": (COMPARISONS, record_codec.encode_comparisons(BEYOND)),
}


@pytest.mark.parametrize("name", POISON)
def test_garbage_is_counted_and_passed_over(tmp_path: Path, name: str) -> None:
    """What comes after it is judged as if it had not been there, and it does not come back."""
    court = Court(tmp_path, {"m": plan("confidence", tick_rows=16)})
    place, poison = POISON[name]
    court.publish(SOUND)
    court.bus.publish(topic(place), poison)
    court.publish(replace(SOUND, offset=SOUND.offset + 100, time=SOUND.time + 10))
    court.drain(court.judge())
    assert court.metrics.total("dead_records", topic=topic(place)) == 1
    assert (seen(court.saved()), waiting(court.saved()).offset.tolist()) == (16, [106, 107, 108, 109])
    court.drain(court.judge())
    assert court.metrics.total("dead_records", topic=topic(place)) == 1, "it came back"


def test_models_are_judged_apart(tmp_path: Path) -> None:
    """One model's harm moves nothing of another's, and each has its own snapshot."""
    court = Court(tmp_path, {"m": lenient(), "n": lenient("n")})
    court.publish(*(replace(batch, model="n") for batch in list(story(Traffic()))[:18]))
    court.publish(Traffic().rows(32))
    court.drain(court.judge())
    assert {e.model for e in court.events()} == {"n"}
    assert (seen(court.saved("m")), seen(court.saved("n"))) == (32, 176)
    assert {r.model: r.safe for r in court.told} == {"m": (), "n": ("group=a",)}


def test_rows_of_another_artefact_are_counted_and_not_judged(court: Court) -> None:
    """Stale comparisons are evidence of another model: they are only counted."""
    harmful = comparisons(100, member=True, disagree=True)
    court.publish(replace(harmful, compressed_digest="another"))
    judge = court.judge()
    court.drain(judge)
    assert court.bench.progress("m")["stale"] == 100
    assert court.bench.progress("m")["seen"] == 0
    assert court.events() == []


def test_bench_shows_how_far_the_judgement_got(court: Court) -> None:
    """Rows judged, rows of the open tick, and each scope's counts; before the first row all of it is nothing."""
    assert court.bench.verdicts("m") == []
    assert court.bench.progress("m")["pending"] == 0
    judge = court.judge()
    court.publish(comparisons(20, member=[True, False, False], disagree=np.arange(20) < 3, fault=np.arange(20) == 9))
    judge.step(0)
    shown = court.bench.progress("m")
    assert {key: shown[key] for key in ("seen", "pending", "stale")} == {"seen": 16, "pending": 4, "stale": 0}
    assert shown["scopes"] == {
        "model": {"compared": 16, "disagreed": 3, "errors": 1},
        "group=a": {"compared": 16, "disagreed": 3, "errors": 1},
        "group=b": {"compared": 0, "disagreed": 0, "errors": 0},
        "half=left": {"compared": 0, "disagreed": 0, "errors": 0},
    }
    assert {v.scope: v.outcome for v in court.bench.verdicts("m") if v.monitor != "sight"} == {
        "model": Outcome.ERROR,
        "group=a": Outcome.ERROR,
        "group=b": Outcome.INSUFFICIENT,
        "half=left": Outcome.INSUFFICIENT,
    }


def test_metrics_show_the_decision_at_once(court: Court) -> None:
    """A trip does not wait for the next update of the figures."""
    judge = court.judge()
    court.publish(*list(story(Traffic()))[:8])
    judge.step(0)
    at = {"model": "m", "scope": "group=a", "monitor": "disagreement"}
    assert court.metrics.registry.get_sample_value("tightrope_verdict", {**at, "outcome": "breach"}) == 1
    assert court.metrics.total("transitions", model="m", scope="group=a", input="breach") == 1
    assert court.metrics.registry.get_sample_value("tightrope_lag_records", {"reader": "judges"}) == 0


def test_judge_takes_a_bus_of_another_process_from_its_start(court: Court) -> None:
    """A new incarnation counts from zero again: the saved state goes on, with its modes and its open tick."""
    batches = list(story(Traffic()))
    court.publish(*batches[:19])
    court.drain(court.judge())
    court.bus = MemoryBus()
    again = Traffic(offset=0, time=190.0)
    court.publish(*(replace(again.rows(10), log="log-2", member=b.member, disagree=b.disagree) for b in batches[19:]))
    court.drain(court.judge())
    assert [kind for _, kind, _ in kinds(court)] == ["breach", "dwell-elapsed", "recovered"]
    state = court.saved()
    assert seen(state) == 480
    assert (state.log, dict(state.watermarks)) == ("log-2", {0: 289})
    assert len({e.id for e in court.events()}) == 3
