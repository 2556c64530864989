"""A judge with labels loses and doubles nothing, at any crash and with any poll size."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, open_tick_rows
from tests.support.judgement.crash_injection import Fuse, FusedBus, FusedStore, KilledError
from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, publish_labels, schedule, truths
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event, Outcome, Stream, Traffic
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as module
from tightrope.shadow.intake import gathering
from tightrope.shadow.judge import Judge


@pytest.fixture(autouse=True)
def clock() -> Iterator[list[float]]:
    """Replace the judge's clock by one that stands still until it is set."""
    now = [NOW]
    with patch.object(module.time, "time", lambda: now[0]):
        yield now


@dataclass
class Ending:
    """The result after all records are judged."""

    state: State
    events: list[tuple[int, Event]]
    pending: object
    deaths: int


def play(folder: Path, lives: list[int], poll: int = 256) -> Ending:
    """Judge the schedule; each judge crashes after the given number of operations, except the last one."""
    harness, fuses, judge, deaths = JudgeHarness(folder, {"m": labelled()}), iter(lives), None, 0
    with patch.object(gathering, "JUDGE_POLL_RECORDS", poll):
        for publish in schedule(harness):
            publish()
            while True:
                try:
                    judge = judge or start_judge(harness, next(fuses, math.inf))
                    harness.drain(judge)
                    break
                except KilledError:
                    judge, deaths = None, deaths + 1
                    harness.reopen()
    harness.write_put_off()
    left = (
        harness.store._all("SELECT * FROM held ORDER BY id, row"),
        harness.store._all("SELECT * FROM waiting ORDER BY id, row"),
    )
    ending = Ending(harness.saved_state(), harness.numbered_events(), left, deaths)
    harness.store.close()
    return ending


def start_judge(harness: JudgeHarness, length: float) -> Judge:
    """Start a judge that crashes after ``length`` operations."""
    fuse = Fuse(length)
    return harness.judge(FusedBus(harness.bus, fuse), FusedStore(harness.store, fuse))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """Judge the schedule without a crash."""
    with patch.object(module.time, "time", lambda: NOW):
        return play(tmp_path_factory.mktemp("undisturbed"), [])


def assert_same(ending: Ending, expected: Ending) -> None:
    """Compare state, audit trail and pending rows and labels, bit by bit."""
    assert bit_exact(ending.state) == bit_exact(expected.state)
    assert ending.events == expected.events
    assert ending.pending == expected.pending


def test_schedule_covers_all_cases(undisturbed: Ending) -> None:
    """Labels are joined, repeated, unknown and of another artefact, and there is harm that only labels show."""
    state = undisturbed.state
    assert {name: count for name, count in state.labels.items() if count} == {
        "joined": 220,
        "duplicate": 18,
        "stale": 10,
    }
    assert state.seen[Stream.LABELS] + len(open_tick_rows(state, Stream.LABELS)) == 220
    assert (state.stale, state.watermarks[0]) == (10, 299)
    kinds = [event.kind for _, event in undisturbed.events]
    assert "breach" in kinds
    accuracy = next(cells for cells, name in zip(state.cells, state.monitors, strict=True) if name == "accuracy")
    assert accuracy.count[0, 0] > 0


@pytest.mark.parametrize("life", range(7))
@pytest.mark.parametrize("poll", [1, 3])
def test_judge_with_labels_survives_repeated_crashes_at_one_operation(
    tmp_path: Path, undisturbed: Ending, life: int, poll: int
) -> None:
    """Twenty judges in a row crash at the same operation."""
    ending = play(tmp_path, [life] * 20, poll)
    assert ending.deaths == 20
    assert_same(ending, undisturbed)


@settings(deadline=None, max_examples=50)
@given(lives=st.lists(st.integers(0, 60), max_size=16), poll=st.integers(1, 9))
def test_judge_with_labels_survives_a_crash_anywhere(undisturbed: Ending, lives: list[int], poll: int) -> None:
    """The result equals that of a run without a crash."""
    with TemporaryDirectory() as folder:
        assert_same(play(Path(folder), lives, poll), undisturbed)


def test_rows_expire_after_the_label_horizon(tmp_path: Path, clock: list[float]) -> None:
    """They expire with the next record after that; a restarted judge does not count them again."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    first, second = batches(1)[0], batches(2, begin=NOW + HORIZON)[1]
    harness.publish(first)
    publish_labels(harness, truths(first)[:3])
    harness.drain(harness.judge())
    clock[0] += HORIZON
    for _ in range(2):
        harness.publish(second)
        harness.drain(harness.judge())
    assert {name: count for name, count in harness.saved_state().labels.items() if count} == {"joined": 3, "expired": 7}
    assert harness.view.progress("m")["coverage"] == 0.3
    publish_labels(harness, [*truths(first), *truths(second)])
    harness.drain(harness.judge())
    assert {name: count for name, count in harness.saved_state().labels.items() if count} == {
        "joined": 13,
        "expired": 7,
        "late": 10,
    }


def test_traffic_without_comparisons_leads_to_safe_mode(tmp_path: Path, clock: list[float]) -> None:
    """Traffic notes of the gateways reveal it; the model returns after the dwell."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    for seconds in (0, 30, 60, 90):
        clock[0] = NOW + seconds
        harness.bus.publish(
            topic(COMPARISONS), record_codec.encode_traffic(Traffic("m", NOW + seconds, 7, NOW + seconds)), "m"
        )
        harness.drain(judge)
    assert [(event.kind, event.time) for event in harness.events()] == [("blind", NOW + 60)]
    assert harness.routes[-1].safe == ("model",)
    sight = next(v for v in harness.view.verdicts("m") if v.monitor == "sight")
    assert (sight.outcome, sight.recent) == (Outcome.BREACH, 90.0)
    clock[0] = NOW + 1000
    harness.publish(*batches(20, begin=NOW + 91))
    harness.drain(judge)
    assert [event.kind for event in harness.events()] == ["blind", "dwell-elapsed", "recovered"]
    assert harness.routes[-1].safe == ()


def test_replaced_plan_takes_effect_in_the_next_round(tmp_path: Path) -> None:
    """Safe scopes go on trial, the routes are published, and the snapshot is of the new plan."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    harness.order("force-safe")
    judge = harness.judge()
    harness.drain(judge)
    harness.view.plans = {"m": _second()}
    harness.publish(*batches(1))
    harness.drain(judge)
    assert [event.kind for event in harness.events()] == ["force-safe", "new-artefact"]
    assert harness.events()[1].reason == "another artefact or configuration"
    state = harness.saved_state()
    assert (state.digest, state.modes[0].trial, state.stale) == ("d2", True, 10)
    assert harness.routes[-1].epoch == state.epoch


def test_rows_of_a_new_artefact_never_join_evidence_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is replaced while the judge waits for rows; the first rows of the new artefact are counted anew."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    harness.publish(*batches(1))
    harness.drain(judge)
    rows = batches(2)[1]
    harness.publish(replace(rows, compressed_digest="c2"))
    poll = judge._records.poll

    def deployed(limit: int, timeout: float) -> list[Record]:
        harness.view.plans = {"m": _second()}
        return poll(limit, timeout)

    monkeypatch.setattr(judge._records, "poll", deployed)
    harness.drain(judge)
    progress = harness.view.progress("m")
    first = len(batches(1)[0])  # in the open tick when the plan changed
    assert (harness.saved_state().digest, progress["stale"], progress["pending"]) == ("d2", first, len(rows))


def test_judge_that_starts_with_another_plan_deploys_it(tmp_path: Path) -> None:
    """The deployment is one event, even after several restarts."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    harness.order("force-safe")
    harness.drain(harness.judge())
    harness.plans = {"m": _second()}
    for _ in range(2):
        harness.drain(harness.judge())
    assert [event.kind for event in harness.events()] == ["force-safe", "new-artefact"]
    assert harness.saved_state().digest == "d2"


def _second() -> Plan:
    return labelled(compressed_digest="c2", digest="d2")
