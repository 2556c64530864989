"""A judge with labels loses nothing and doubles nothing, whenever it dies and however its records are polled."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bits, waiting
from tests.support.judgement.crash_injection import Fuse, FusedBus, FusedStore, KilledError
from tests.support.judgement.judge_harness import Court
from tests.support.judgement.labelled_judge import HORIZON, NOW, batches, labelled, schedule, tell, truths
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Event, Outcome, Stream
from tightrope.monitors.records import Traffic as Note
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import COMPARISONS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as module
from tightrope.shadow.judge import Judge


@pytest.fixture(autouse=True)
def clock() -> Iterator[list[float]]:
    """The judge's clock, which stands still until it is set."""
    now = [NOW]
    with patch.object(module.time, "time", lambda: now[0]):
        yield now


@dataclass
class Ending:
    """What is left when everything has been judged."""

    state: State
    events: list[tuple[int, Event]]
    waiting: object
    deaths: int


def play(folder: Path, lives: list[int], poll: int = 256) -> Ending:
    """Judge the schedule; each judge dies after so many moments, and the last one lives."""
    court, fuses, judge, deaths = Court(folder, {"m": labelled()}), iter(lives), None, 0
    with patch.object(module, "POLL", poll):
        for publish in schedule(court):
            publish()
            while True:
                try:
                    judge = judge or born(court, next(fuses, math.inf))
                    court.drain(judge)
                    break
                except KilledError:
                    judge, deaths = None, deaths + 1
                    court.reopen()
    left = (
        court.store._all("SELECT * FROM held ORDER BY id, row"),
        court.store._all("SELECT * FROM waiting ORDER BY id, row"),
    )
    ending = Ending(court.saved(), court.store.events(limit=1000), left, deaths)
    court.store.close()
    return ending


def born(court: Court, length: float) -> Judge:
    """A judge with so much time to live."""
    fuse = Fuse(length)
    return court.judge(FusedBus(court.bus, fuse), FusedStore(court.store, fuse))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """What comes of the schedule when nobody dies."""
    with patch.object(module.time, "time", lambda: NOW):
        return play(tmp_path_factory.mktemp("undisturbed"), [])


def assert_same(ending: Ending, expected: Ending) -> None:
    """State to the last bit, the audit trail, and everything that waits."""
    assert bits(ending.state) == bits(expected.state)
    assert ending.events == expected.events
    assert ending.waiting == expected.waiting


def test_schedule_has_something_of_everything(undisturbed: Ending) -> None:
    """Labels that were joined, that came twice, of nobody and of another artefact; and harm that only they show."""
    state = undisturbed.state
    assert {name: count for name, count in state.labels.items() if count} == {
        "joined": 220,
        "duplicate": 18,
        "stale": 10,
    }
    assert state.seen[Stream.LABELS] + len(waiting(state, Stream.LABELS)) == 220
    assert (state.stale, state.watermarks[0]) == (10, 299)
    kinds = [event.kind for _, event in undisturbed.events]
    assert "breach" in kinds
    accuracy = next(cells for cells, name in zip(state.cells, state.monitors, strict=True) if name == "accuracy")
    assert accuracy.count[0, 0] > 0


@pytest.mark.parametrize("life", range(7))
@pytest.mark.parametrize("poll", [1, 3])
def test_judge_with_labels_may_die_again_and_again_at_one_moment(
    tmp_path: Path, undisturbed: Ending, life: int, poll: int
) -> None:
    """Twenty judges in a row; nothing is lost, nothing counts double."""
    ending = play(tmp_path, [life] * 20, poll)
    assert ending.deaths == 20
    assert_same(ending, undisturbed)


@settings(deadline=None, max_examples=50)
@given(lives=st.lists(st.integers(0, 60), max_size=16), poll=st.integers(1, 9))
def test_judge_with_labels_may_die_anywhere(undisturbed: Ending, lives: list[int], poll: int) -> None:
    """Whenever judges die, and however records are polled: the ending is that of an undisturbed run."""
    with TemporaryDirectory() as folder:
        assert_same(play(Path(folder), lives, poll), undisturbed)


def test_judge_gives_up_what_has_waited_for_the_horizon(tmp_path: Path, clock: list[float]) -> None:
    """As time goes on, with the next record; a judge that starts anew counts nothing again."""
    court = Court(tmp_path, {"m": labelled()})
    first, second = batches(1)[0], batches(2, begin=NOW + HORIZON)[1]
    court.publish(first)
    tell(court, truths(first)[:3])
    court.drain(court.judge())
    clock[0] += HORIZON
    for _ in range(2):
        court.publish(second)
        court.drain(court.judge())
    assert {name: count for name, count in court.saved().labels.items() if count} == {"joined": 3, "expired": 7}
    assert court.bench.progress("m")["coverage"] == 0.3
    tell(court, [*truths(first), *truths(second)])
    court.drain(court.judge())
    assert {name: count for name, count in court.saved().labels.items() if count} == {"joined": 13, "expired": 7}


def test_bench_shows_labels_noise_and_dependence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the status, with a coverage as soon as there is one."""
    monkeypatch.setattr(module, "SHOWN_EVERY", 0.0)
    court = Court(tmp_path, {"m": labelled()})
    judge = court.judge()
    assert court.bench.progress("m")["coverage"] is None
    court.publish(*batches(4))
    tell(court, truths(batches(1)[0]))
    court.drain(judge)
    shown = court.bench.progress("m")
    assert shown["labels"]["joined"] == 10  # type: ignore[index]
    assert (shown["coverage"], shown["dependent"]) == (1.0, False)
    assert shown["noise"] == {"asked_twice": 0, "contradictions": 0}
    assert court.metrics.registry.get_sample_value("tightrope_labels", {"model": "m", "outcome": "joined"}) == 10


def test_traffic_without_comparisons_makes_the_judge_send_the_model_to_safe_mode(tmp_path: Path) -> None:
    """As the gateways tell of it on the topic of comparisons, and back after the dwell."""
    court = Court(tmp_path, {"m": labelled()})
    judge = court.judge()
    for seconds in (0, 30, 60, 90):
        court.bus.publish(
            topic(COMPARISONS), record_codec.encode_traffic(Note("m", NOW + seconds, 7, NOW + seconds)), "m"
        )
        court.drain(judge)
    assert [(event.kind, event.time) for event in court.events()] == [("blind", NOW + 60)]
    assert court.told[-1].safe == ("model",)
    sight = next(v for v in court.bench.verdicts("m") if v.monitor == "sight")
    assert (sight.outcome, sight.recent) == (Outcome.BREACH, 90.0)
    court.publish(*batches(20, begin=NOW + 91))
    court.drain(judge)
    assert [event.kind for event in court.events()] == ["blind", "dwell-elapsed", "recovered"]
    assert court.told[-1].safe == ()


def test_plan_that_is_replaced_on_the_bench_is_judged_by_from_the_next_round_on(tmp_path: Path) -> None:
    """Another artefact: who is safe is on trial, the gateways are told, and the snapshot is of the new plan."""
    court = Court(tmp_path, {"m": labelled()})
    court.order("force-safe")
    judge = court.judge()
    court.drain(judge)
    court.bench.plans = {"m": _second()}
    court.publish(*batches(1))
    court.drain(judge)
    assert [event.kind for event in court.events()] == ["force-safe", "new-artefact"]
    assert court.events()[1].reason == "another artefact or configuration"
    state = court.saved()
    assert (state.digest, state.modes[0].trial, state.stale) == ("d2", True, 10)
    assert court.told[-1].epoch == state.epoch


def test_rows_of_a_new_artefact_never_join_evidence_of_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deployed while the judge waits for rows, and the first that come are its own: they are counted anew."""
    court = Court(tmp_path, {"m": labelled()})
    judge = court.judge()
    court.publish(*batches(1))
    court.drain(judge)
    rows = batches(2)[1]
    court.publish(replace(rows, compressed_digest="c2"))
    poll = judge._records.poll

    def deployed(limit: int, timeout: float) -> list[Record]:
        court.bench.plans = {"m": _second()}
        return poll(limit, timeout)

    monkeypatch.setattr(judge._records, "poll", deployed)
    court.drain(judge)
    progress = court.bench.progress("m")
    assert (court.saved().digest, progress["stale"], progress["pending"]) == ("d2", 0, len(rows))


def test_judge_that_starts_with_another_plan_judges_by_it(tmp_path: Path) -> None:
    """As after a restart with another file: once, however often it starts."""
    court = Court(tmp_path, {"m": labelled()})
    court.order("force-safe")
    court.drain(court.judge())
    court.plans = {"m": _second()}
    for _ in range(2):
        court.drain(court.judge())
    assert [event.kind for event in court.events()] == ["force-safe", "new-artefact"]
    assert court.saved().digest == "d2"


def _second() -> Plan:
    return labelled(compressed_digest="c2", digest="d2")
