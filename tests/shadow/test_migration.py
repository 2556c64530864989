"""State that Tightrope 0.1 saved goes on: modes, orders, events and labels stay, and one event tells of it.

`state_of_version_1.sql` is a dump of a state file that its judge wrote: a breach of group a, an order for half=left, a
label without a row, and two rows that wait for their labels.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.service.adapters.wire.test_record_codec_recorded import RECORDED
from tests.support.judgement.comparisons import judged_count, make_comparisons, open_tick_rows
from tests.support.judgement.judge_harness import JudgeHarness, lenient
from tightrope.monitors.label_records import Label
from tightrope.monitors.plan import initial_state
from tightrope.service.adapters.sqlite.database import STATE_VERSION
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WIRE_VERSION
from tightrope.shadow.migration import MIGRATED, is_outdated, migration_event

DUMP = Path(__file__).with_name("state_of_version_1.sql").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder of version 1."""
    with closing(sqlite3.connect(tmp_path / "tightrope.db")) as database:
        database.executescript(DUMP)
    return tmp_path


def modes(harness: JudgeHarness) -> dict[str, tuple[str, bool]]:
    """State and hold of each scope, as saved."""
    state = harness.saved_state()
    return {scope: (mode.state.value, mode.held) for scope, mode in zip(state.scopes, state.modes, strict=True)}


OLD_MODES = {
    "model": ("normal", False),
    "group=a": ("safe", False),
    "group=b": ("normal", False),
    "half=left": ("safe", True),
}


@pytest.mark.parametrize(("digest", "evidence", "counted"), [("d1", "kept", 176), ("d2", "anew", 0)])
def test_state_of_the_version_before_goes_on(folder: Path, digest: str, evidence: str, counted: int) -> None:
    """Modes and the operator's hold stay; evidence begins anew where the plan is another one; one event tells of it."""
    harness = JudgeHarness(folder, {"m": replace(lenient(), digest=digest, label_horizon=1e9)})
    before = len(harness.events())
    for _ in range(2):
        judge = harness.judge()
        harness.drain(judge)
        judge.close()
        harness.reopen()
    assert modes(harness) == OLD_MODES
    assert int(harness.saved_state().compared[0]) == counted
    migrated = [event for event in harness.events() if event.kind == MIGRATED]
    assert len(harness.events()) == before + 1
    assert [(event.detail["evidence"], event.detail["from_version"]) for event in migrated] == [(evidence, 1)]


def test_migrated_state_is_saved_in_this_version(folder: Path) -> None:
    """Another restart finds nothing to migrate."""
    harness = JudgeHarness(folder, {"m": replace(lenient(), digest="d1")})
    old = harness.store.snapshot("m")
    assert old is not None
    assert is_outdated(old)
    harness.drain(harness.judge())
    new = harness.store.snapshot("m")
    assert new is not None
    assert not is_outdated(new)
    assert record_codec.version_of(new) == WIRE_VERSION


def test_judgement_goes_on_after_a_migration(folder: Path) -> None:
    """New rows join those of the open tick that the old version saved."""
    harness = JudgeHarness(folder, {"m": replace(lenient(), digest="d1")})
    judge = harness.judge()
    rows = make_comparisons(40, offset=range(1000, 1040), time=range(200, 240), host_class="x86_64")
    harness.publish(replace(rows, log=harness.saved_state().log))
    harness.drain(judge)
    assert judged_count(harness.saved_state()) + len(open_tick_rows(harness.saved_state())) == 180 + 40


def test_labels_and_rows_of_the_version_before_are_found(folder: Path) -> None:
    """The tables get their new columns; what waited goes on waiting."""
    harness = JudgeHarness(folder)
    assert harness.store.pending_labels("m", [("never", 0)]) == {("never", 0): Label("m", "never", 0, 1, 180.0)}
    with closing(sqlite3.connect(folder / "tightrope.db")) as database, database:
        database.execute("INSERT INTO held VALUES ('m', 'r', 0, 1.0, 0, ?)", (RECORDED["held row"],))
    rows = harness.store.pending_rows("m", [("r", 0)])
    assert [(row.caller, row.digest) for row in rows.values()] == [(0, "d1")]
    with closing(sqlite3.connect(folder / "tightrope.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (STATE_VERSION,)


def test_event_of_a_migration_names_the_scopes() -> None:
    """The detail lists the state of each scope and what became of the evidence."""
    plan = replace(lenient(), digest="new")
    event = migration_event(plan, initial_state(replace(plan, digest="old")), 3.0)
    assert (event.kind, event.time, event.detail["evidence"]) == (MIGRATED, 3.0, "anew")
    assert event.detail["states"] == dict.fromkeys(plan.scopes, "normal")
