import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.harmful_pair import config, traffic
from tests.support.in_process import question, running, served_by, slowed
from tests.support.judgement.comparisons import seen, waiting
from tests.support.servers import write_config
from tightrope.service.adapters.sqlite.store import SqliteStore, StoreError
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import load
from tightrope.wiring import embedded as module
from tightrope.wiring.embedded import DATABASE, wire_up


@pytest.mark.parametrize("slow", ["worker", "judge"])
def test_stop_judges_all_that_was_served(tmp_path: Path, slow: str) -> None:
    """Stopped right after the last answer, on a machine however slow: the state on disk has every row."""
    path = write_config(tmp_path, config(tmp_path))
    parts = wire_up(load(path, {}))
    if slow == "worker":
        parts = replace(parts, worker=slowed(parts.worker, step=0.8))
    else:
        parts = replace(parts, judge=slowed(parts.judge, step=0.8))
    parts.start()
    gateway = parts.service.gateway
    for row in traffic(500, harm=False):
        gateway.infer(gateway.pair("m"), question(row[None]))
    parts.stop()
    store = SqliteStore(tmp_path / "state" / DATABASE)
    snapshot = store.snapshot("m")
    store.close()
    assert snapshot is not None
    state = record_codec.decode_state(snapshot)
    assert seen(state) + len(waiting(state)) == 500


def test_modes_are_known_before_the_first_request(tmp_path: Path) -> None:
    """After a restart the saved subgroup is answered by the baseline from the first row on."""
    path = write_config(tmp_path, config(tmp_path))
    with running(path) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
        epoch = it.parts.bench.states["m"].epoch
    with running(path) as it:
        assert it.parts.service.gateway.router.routes("m").epoch == epoch
        rows = traffic(6, harm=True)
        assert served_by(it.ask(rows), rows) == {0.0: {"compressed"}, 1.0: {"baseline"}}
        assert it.earlier == 8 * 96


def test_start_waits_for_the_modes(tmp_path: Path) -> None:
    """Though the judge takes its time: nobody is answered before it has told who is safe."""
    parts = wire_up(load(write_config(tmp_path, config(tmp_path)), {}))
    parts = replace(parts, judge=slowed(parts.judge, start=0.3))
    parts.start()
    assert parts.service.gateway.router.routes("m").epoch == 0
    parts.stop()


def test_one_state_has_one_judge(tmp_path: Path) -> None:
    """A second set of parts on the same folder is refused while the first lives."""
    path = write_config(tmp_path, config(tmp_path))
    with running(path), pytest.raises(StoreError, match="another Tightrope is running on this state"):
        wire_up(load(path, {}))
    with running(path) as it:
        assert it.states()["model"] == "normal"


def test_gateway_answers_though_the_judge_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that fails is logged and counted; callers get their answers, and the log says by whom."""

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    monkeypatch.setattr(SqliteStore, "snapshot", fails)
    parts = wire_up(load(write_config(tmp_path, config(tmp_path)), {}))
    with caplog.at_level(logging.WARNING):
        parts.start()
    gateway = parts.service.gateway
    request = question(traffic(1, harm=True))
    assert gateway.infer(gateway.pair("m"), request).parameters["served_by"] == "compressed"
    parts.stop()
    assert parts.judge.failures > 0
    assert "the judge has not told the modes yet" in caplog.text
