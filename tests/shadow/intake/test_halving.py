"""Records on which a round fails are found by halving; the others are judged as if they were not there."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.comparisons import RowSource, bit_exact
from tests.support.judgement.judge_harness import HOST, lenient
from tightrope.monitors import watch
from tightrope.monitors.plan import Plan, State, Transition, initial_state
from tightrope.monitors.records import Comparisons, Event, Stream
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.topics import COMPARISONS, EVENTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.intake.halving import apply_others
from tightrope.shadow.judge_round import JudgeRound

PLAN = lenient()
STEP = watch.step


def records(number: int, rows: int = 10) -> list[Record]:
    """Consecutive batches of comparisons, one record each."""
    source = RowSource()
    encoded = [record_codec.encode_comparisons(source.rows(rows)) for _ in range(number)]
    return [Record(topic(COMPARISONS), 0, offset, "m", value) for offset, value in enumerate(encoded)]


def failing_on(offsets: Sequence[int], error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the judgement fail on the rows of these samples; returns the number of rows of each attempt."""
    attempts: list[int] = []

    def step(
        plan: Plan, state: State, rows: Comparisons, stream: Stream = Stream.COMPARISONS
    ) -> tuple[State, list[Transition]]:
        attempts.append(len(rows))
        if np.isin(rows.offset, offsets).any():
            raise error("poison")
        return STEP(plan, state, rows, stream)

    monkeypatch.setattr(watch, "step", step)
    return attempts


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """An empty store."""
    return SqliteStore(tmp_path / "tightrope.db")


def new_round(store: SqliteStore) -> JudgeRound:
    """A round of one model without earlier rows."""
    return JudgeRound({"m": PLAN}, {"m": initial_state(PLAN)}, store, HOST, 1e9)


def judged(given: Sequence[Record], store: SqliteStore) -> State:
    """The state after a round over these records, which all are sound."""
    judge_round = new_round(store)
    assert list(judge_round.process(given)) == []
    return judge_round.states["m"]


@pytest.mark.parametrize("bad", [[0], [63], [17], [3, 4, 40], [0, 63]])
def test_bad_records_are_found_and_the_others_judged(
    bad: list[int], store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit as without them, and in few attempts; the position passes them."""
    given = records(64)
    expected = judged([record for record in given if record.offset not in bad], store)
    attempts = failing_on([10 * number for number in bad], ValueError, monkeypatch)
    applied, refused = apply_others(new_round(store), given, ValueError("poison"))
    assert [record.offset for record, _ in refused] == bad
    assert bit_exact(applied.states["m"]) == bit_exact(expected)
    assert applied.positions == {(topic(COMPARISONS), 0): 64}
    assert len(attempts) <= 2 * len(bad) * 7 + 1


def test_failure_without_a_culprit_is_raised_again(store: SqliteStore) -> None:
    """It came from saving, or was a moment's: no record is parked for it."""
    failure = ValueError("the moon")
    with pytest.raises(ValueError, match="the moon") as caught:
        apply_others(new_round(store), records(4), failure)
    assert caught.value is failure


@pytest.mark.parametrize("error", [sqlite3.OperationalError, OSError, MemoryError])
def test_fault_of_the_environment_blames_no_record(
    error: type[Exception], store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when it is the first failure, nor when it comes while the records are tried again."""
    attempts = failing_on([0], error, monkeypatch)
    with pytest.raises(error):
        apply_others(new_round(store), records(4), error("locked"))
    assert attempts == []
    with pytest.raises(error):
        apply_others(new_round(store), records(4), ValueError("first"))


def test_round_that_cannot_be_saved_blames_the_record_that_made_it_so(store: SqliteStore) -> None:
    """The round is encoded and saved in memory: a value that no database takes is found there."""
    sound = Event("e", 1.0, "m", "kind", "model", "gateway", "why", {"x": 1})
    broken = record_codec.encode_event(sound)
    given = [Record(topic(EVENTS), 0, 0, "m", broken), *records(2)]
    judge_round = new_round(store)
    original = record_codec.decode_event

    def decode(data: bytes) -> Event:
        event = original(data)
        return replace(event, detail={"x": {1, 2}}) if event.id == "e" else event

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_codec, "decode_event", decode)
        applied, refused = apply_others(judge_round, given, TypeError("a set"))
    assert [record.topic for record, _ in refused] == [topic(EVENTS)]
    assert applied.events == []
    assert watch.build_routes(PLAN, applied.states["m"]).safe == ()


def test_records_that_are_skipped_anyway_are_reported_too(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be decoded, beside one on which the round fails."""
    failing_on([20], ValueError, monkeypatch)
    given = [*records(4), Record(topic(COMPARISONS), 0, 4, "m", b"garbage")]
    _, refused = apply_others(new_round(store), given, ValueError("poison"))
    assert sorted(record.offset for record, _ in refused) == [2, 4]
