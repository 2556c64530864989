"""A start that cannot read its state answers every scope by the baseline, and tells why."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import MAJORITY, MINORITY, UNWRITTEN, config, traffic
from tests.support.in_process import InProcess, run_in_process, served_by
from tightrope.monitors.safemode import Input
from tightrope.service.adapters.sqlite.state_file import StoreError, newest_unreadable
from tightrope.service.config.loader import load
from tightrope.shadow.migration import FRESH
from tightrope.wiring.embedded import DATABASE, build_embedded

ARMED = {"mode": "armed"}

SLOW_RETURN = {"min_dwell_seconds": 0, "recovery_samples": 1e8}
"""More evidence than the rows of a test have."""


def damage(path: Path) -> None:
    """Overwrite the pages behind the first one."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))


def spoil_snapshot(path: Path) -> None:
    """Write a snapshot of a version to come."""
    database = sqlite3.connect(path)
    database.execute("UPDATE snapshots SET body = x'00'")
    database.commit()
    database.close()


def make_newer(path: Path) -> None:
    """Give the file the version of a later Tightrope."""
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=99")
    database.close()


def assert_all_safe(running: InProcess) -> None:
    """Check that the baseline answers every row, and that the trail and the metric say why."""
    rows = traffic(60, harm=True, seed=5)
    assert served_by(running.send(rows), rows) == {0.0: {"baseline"}, 1.0: {"baseline"}}
    assert "normal" not in running.states().values()
    first = [event for _, event in running.parts.store.events() if event.kind == Input.UNREADABLE]
    assert [event.scope for event in first] == list(running.parts.view.plans["m"].scopes)
    assert all(event.reason for event in first)
    exposition = running.parts.service.engine.metrics.exposition("")[0].decode()
    assert 'tightrope_state_unreadable{model="m"} 1.0' in exposition


@pytest.mark.parametrize(
    ("spoil", "changes"),
    [
        (damage, ARMED),
        (damage, {"mode": "advisory"}),
        (damage, UNWRITTEN),
        (make_newer, ARMED),
        (spoil_snapshot, ARMED),
    ],
)
def test_unreadable_state_begins_safe(
    tmp_path: Path, spoil: Callable[[Path], None], changes: Mapping[str, object]
) -> None:
    """Also under an advisory plan, and once more after the next restart."""
    path = write_config(tmp_path, {**config(tmp_path, **changes), "safe_mode": SLOW_RETURN})
    with run_in_process(path) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        assert running.states()[MINORITY] == "safe"
    state = tmp_path / "state" / DATABASE
    spoil(state)
    with run_in_process(path) as running:
        assert_all_safe(running)
    with run_in_process(path) as running:
        assert_all_safe(running)
    assert (newest_unreadable(state) is not None) == (spoil is not spoil_snapshot)


def test_evidence_releases_the_scopes(tmp_path: Path) -> None:
    """A sound model comes back by itself in each scope that has rows."""
    path = write_config(tmp_path, config(tmp_path))
    with run_in_process(path) as running:
        running.send(traffic(96, harm=False))
    damage(tmp_path / "state" / DATABASE)
    with run_in_process(path) as running:
        for seed in range(40):
            running.send(traffic(96, harm=False, seed=seed))
        assert {running.states()[scope] for scope in ("model", MINORITY, MAJORITY)} == {"normal"}


def test_state_without_locks_begins_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway answers; the file on disk is not touched."""

    def flock(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    path = write_config(tmp_path, {**config(tmp_path), "safe_mode": SLOW_RETURN})
    with run_in_process(path) as running:
        running.send(traffic(96, harm=True))
    before = (tmp_path / "state" / DATABASE).read_bytes()
    monkeypatch.setattr(fcntl, "flock", flock)
    with run_in_process(path) as running:
        assert_all_safe(running)
    assert (tmp_path / "state" / DATABASE).read_bytes() == before


def test_fresh_state_is_told_once(tmp_path: Path) -> None:
    """The first start has one event for each model, the second has none."""
    path = write_config(tmp_path, config(tmp_path))
    for _ in range(2):
        with run_in_process(path) as running:
            assert [event.kind for _, event in running.parts.store.events()] == [FRESH]


def test_required_state_refuses_a_fresh_folder(tmp_path: Path) -> None:
    """A state from an earlier start is served."""
    required = {**config(tmp_path), "state_required": True}
    with pytest.raises(StoreError, match="holds no state, and state_required is true"):
        build_embedded(load(write_config(tmp_path, required), {}))
    with run_in_process(write_config(tmp_path, config(tmp_path))):
        pass
    with run_in_process(write_config(tmp_path, required)) as running:
        assert running.states()["model"] == "normal"
