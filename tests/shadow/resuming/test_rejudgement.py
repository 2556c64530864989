"""A judge that was killed goes on where it was: what it had judged since its snapshot is judged again, exactly."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.judgement.comparisons import bit_exact
from tests.support.judgement.judge_harness import JudgeHarness
from tests.support.judgement.labelled_judge import NOW, batches, labelled, publish_labels, truths
from tightrope.monitors.plan import State
from tightrope.monitors.records import Event
from tightrope.service.adapters.sqlite import input_journal
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow import judge as judge_module
from tightrope.shadow import judge_round as round_module

STEPS = 60
MOMENTS = 20


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """Let the judge's clock stand still."""
    with patch.object(judge_module.time, "time", lambda: NOW):
        yield


def publish(harness: JudgeHarness, step: int) -> None:
    """Publish rows and labels, early ones, late ones and repeated ones; and sometimes an order."""
    rows = batches(STEPS + 3)
    harness.publish(rows[step])
    publish_labels(harness, [*truths(rows[step + 2])[:3], *truths(rows[max(step - 2, 0)])[1:7]])
    if step % 20 == 11:
        harness.order("force-safe" if step < 20 else "release", "group=a", id_=f"order-{step}", time=NOW)


@dataclass
class Outcome:
    """The knowledge of a judge: the state, the audit trail, and the rows and labels that wait."""

    state: State
    events: list[tuple[int, Event]]
    pending: list[object]


def outcome(harness: JudgeHarness) -> Outcome:
    """Look into a judge's store."""
    state = harness.view.states["m"]
    harness.write_put_off()
    held = harness.store._all("SELECT * FROM held ORDER BY id, row")
    pending = [held, harness.store._all("SELECT * FROM waiting ORDER BY id, row")]
    assert record_codec.encode_state(state) == harness.store.snapshot("m")
    return Outcome(state, harness.numbered_events(), pending)


def play(folder: Path, confirm: Connection) -> None:
    """Judge all steps, and confirm each: as a process that may be killed."""
    harness = JudgeHarness(folder, {"m": labelled()})
    judge = harness.judge()
    harness.drain(judge)
    for step in range(STEPS):
        publish(harness, step)
        harness.drain(judge)
        confirm.send(step)
    os._exit(0)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The outcome before the first step, and after each."""
    found = []
    with patch.object(judge_module.time, "time", lambda: NOW):
        harness = JudgeHarness(tmp_path_factory.mktemp("undisturbed"), {"m": labelled()})
        judge = harness.judge()
        harness.drain(judge)
        found.append(bit_exact(outcome(harness)))
        for step in range(STEPS):
            publish(harness, step)
            harness.drain(judge)
            found.append(bit_exact(outcome(harness)))
    harness.store.close()
    return found


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_counts_are_exact_after_kill_9(
    tmp_path: Path, undisturbed: list[object], moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, audit trail and waiting rows are those after a step, and no confirmed step is missing. Snapshots are put
    off for 7 rounds.
    """
    monkeypatch.setattr(input_journal, "MOST_ROUNDS", 7)
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=play, args=(tmp_path, writer), daemon=True)
    process.start()
    confirmed = -1
    while confirmed < moment * 2 + 3:
        confirmed = reader.recv()
    time.sleep(moment % 5 * 0.0007)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    writer.close()
    while reader.poll():
        try:
            confirmed = reader.recv()
        except (EOFError, OSError):
            break
    again = JudgeHarness(tmp_path, {"m": labelled()})
    again.judge()
    found = undisturbed.index(bit_exact(outcome(again)))  # 0 is before the first step
    assert confirmed + 1 <= found <= confirmed + 2
    again.store.close()


def begun(folder: Path, steps: int) -> JudgeHarness:
    """A judge that was killed after some steps, which its snapshot lacks."""
    harness = JudgeHarness(folder, {"m": labelled()})
    judge = harness.judge()
    harness.drain(judge)
    for step in range(steps):
        publish(harness, step)
        harness.drain(judge)
    harness.reopen()
    return harness


def test_snapshots_are_put_off_until_a_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds without an event encode and write no snapshot; an order does at once."""
    harness = JudgeHarness(tmp_path, {"m": labelled()})
    judge = harness.judge()
    harness.drain(judge)
    before, encoded = harness.store._all("SELECT body FROM snapshots"), []
    encode = record_codec.encode_state
    monkeypatch.setattr(record_codec, "encode_state", lambda state: encoded.append(state) or encode(state))
    for step in range(6):
        publish(harness, step)
        harness.drain(judge)
    assert encoded == []
    assert harness.store._all("SELECT body FROM snapshots") == before
    assert harness.store._all("SELECT count(*) FROM journal") == [(6,)]
    harness.order("force-safe")
    harness.drain(judge)
    (body,) = harness.store._all("SELECT body FROM snapshots")[0]
    assert record_codec.decode_state(body).modes[0].held
    assert harness.store._all("SELECT count(*) FROM journal") == [(0,)]


def test_what_cannot_be_judged_again_is_unknown(tmp_path: Path) -> None:
    """Every scope begins in safe mode, and the reason is told; what the snapshot knows is kept."""
    harness = begun(tmp_path, 3)
    harness.store._db.execute("UPDATE journal SET body = x'00' WHERE seq = 2")
    harness.drain(harness.judge())
    assert all(mode.safe for mode in harness.saved_state().modes)
    (event,) = [event for event in harness.events() if event.kind == "unreadable"][:1]
    assert "after its snapshot cannot be read" in event.reason
    assert harness.store._all("SELECT count(*) FROM journal") == [(0,)]


def test_record_that_is_refused_now_makes_the_state_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was judged before: another program reads it differently."""
    harness = begun(tmp_path, 3)
    monkeypatch.setattr(round_module.watch, "step", lambda *_: 1 / 0)
    judge = harness.judge()
    monkeypatch.undo()
    harness.drain(judge)
    assert all(mode.safe for mode in harness.saved_state().modes)


def test_records_of_another_plan_are_left_out(tmp_path: Path) -> None:
    """Evidence begins anew under the new plan, as it does after each restart with one."""
    harness = begun(tmp_path, 3)
    harness.plans = {"m": labelled(compressed_digest="c2", digest="d2")}
    harness.drain(harness.judge())
    assert harness.saved_state().digest == "d2"
    assert harness.saved_state().compared[0] == 0
    assert harness.store._all("SELECT count(*) FROM journal") == [(0,)]


def test_records_of_another_snapshot_are_unknown(tmp_path: Path) -> None:
    """A program that knows nothing of them, as of the version before, wrote the snapshot since: its counts are kept,
    every scope begins in safe mode, and the reason is told.
    """
    harness = begun(tmp_path, 3)
    body = harness.store.snapshot("m")
    assert body is not None
    state = record_codec.decode_state(body)
    other = record_codec.encode_state(replace(state, stale=state.stale + 1))
    harness.store._db.execute("UPDATE snapshots SET body = ?", (other,))
    harness.drain(harness.judge())
    assert harness.saved_state().stale == state.stale + 1
    assert_unknown(harness)


@pytest.mark.parametrize("damage", ["DELETE FROM journal WHERE seq = 2", "DELETE FROM snapshots"])
def test_missing_round_or_snapshot_makes_the_state_unknown(tmp_path: Path, damage: str) -> None:
    """Nothing begins as normal with counts that lack it."""
    harness = begun(tmp_path, 3)
    harness.store._db.execute(damage)
    harness.drain(harness.judge())
    assert_unknown(harness)


def assert_unknown(harness: JudgeHarness) -> None:
    """Every scope is in safe mode, and an event tells that rounds are missing."""
    assert all(mode.safe for mode in harness.saved_state().modes)
    assert "does not follow its snapshot" in next(e.reason for e in harness.events() if e.kind == "unreadable")
    assert harness.store._all("SELECT count(*) FROM journal") == [(0,)]
