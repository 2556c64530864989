import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config, traffic
from tests.support.in_process import infer_request, run_in_process, served_by, slow_loop
from tests.support.judgement.comparisons import judged_count, open_tick_rows
from tightrope.service.adapters.sqlite.state_file import StoreError
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import load
from tightrope.wiring import embedded
from tightrope.wiring.embedded import DATABASE, build_embedded


@pytest.mark.parametrize("slow", ["worker", "judge"])
def test_stop_judges_all_served_rows(tmp_path: Path, slow: str) -> None:
    """Stopped right after the last answer, on a slow machine: the state on disk has every row."""
    path = write_config(tmp_path, config(tmp_path))
    parts = build_embedded(load(path, {}))
    if slow == "worker":
        parts = replace(parts, worker=slow_loop(parts.worker, step=0.8))
    else:
        parts = replace(parts, judge=slow_loop(parts.judge, step=0.8))
    parts.start()
    gateway = parts.service.engine
    for row in traffic(500, harm=False):
        gateway.infer(gateway.pair("m"), infer_request(row[None]))
    parts.stop()
    store = SqliteStore(tmp_path / "state" / DATABASE)
    snapshot = store.snapshot("m")
    store.close()
    assert snapshot is not None
    state = record_codec.decode_state(snapshot)
    assert judged_count(state) + len(open_tick_rows(state)) == 500


def test_modes_are_known_before_the_first_request(tmp_path: Path) -> None:
    """After a restart the baseline answers the saved subgroup from the first row on."""
    path = write_config(tmp_path, config(tmp_path))
    with run_in_process(path) as running:
        for seed in range(8):
            running.send(traffic(96, harm=True, seed=seed))
        epoch = running.parts.view.states["m"].epoch
    with run_in_process(path) as running:
        assert running.parts.service.engine.router.routes("m").epoch == epoch
        rows = traffic(6, harm=True)
        assert served_by(running.send(rows), rows) == {0.0: {"compressed"}, 1.0: {"baseline"}}
        assert running.judged_before == 8 * 96


def test_start_waits_for_the_modes(tmp_path: Path) -> None:
    """With a slow judge no request is served before its modes are known."""
    parts = build_embedded(load(write_config(tmp_path, config(tmp_path)), {}))
    parts = replace(parts, judge=slow_loop(parts.judge, start=0.3))
    parts.start()
    assert parts.service.engine.router.routes("m").epoch == 0
    parts.stop()


def test_one_state_has_one_judge(tmp_path: Path) -> None:
    """A second instance on the same folder is refused while the first runs."""
    path = write_config(tmp_path, config(tmp_path))
    with run_in_process(path), pytest.raises(StoreError, match="another Tightrope is running on this state"):
        build_embedded(load(path, {}))
    with run_in_process(path) as running:
        assert running.states()["model"] == "normal"


def test_gateway_answers_without_a_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing disk is logged and counted; callers get their answers from the baseline, and the log says so: nothing
    is known about the modes.
    """

    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.3)
    parts = build_embedded(load(write_config(tmp_path, config(tmp_path)), {}))
    monkeypatch.setattr(SqliteStore, "snapshot", fails)
    with caplog.at_level(logging.WARNING):
        parts.start()
    gateway = parts.service.engine
    request = infer_request(traffic(1, harm=True))
    assert gateway.infer(gateway.pair("m"), request).parameters["served_by"] == "baseline"
    parts.stop()
    assert parts.judge.failures > 0
    assert gateway.metrics.total("judge_failures") == parts.judge.failures
    assert "the judge has not published the modes yet: the baselines answer until it does" in caplog.text
