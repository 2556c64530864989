import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import pytest

from monitors.records import Role
from service.adapters import wire
from service.adapters.sqlite import SqliteStore, StoreError
from service.protocol import InferRequest, InferResponse
from service.settings import ConfigError, load
from tests.comparisons import seen, waiting
from tests.harm import MAJORITY, MINORITY, Rows, config, traffic
from tests.servers import write_config
from tightrope import embedded as module
from tightrope.embedded import DATABASE, Embedded, HttpServer, wire_up


def question(rows: Rows) -> InferRequest:
    """These rows, all outputs asked."""
    return InferRequest(id=None, parameters={}, inputs={"input": rows}, outputs=(), binary_default=False)


class Running:
    """Everything in this process, asked without HTTP."""

    def __init__(self, parts: Embedded) -> None:
        self.parts = parts
        self.rows = 0
        self.earlier = self._judged()

    def ask(self, rows: Rows) -> list[InferResponse]:
        """One request a row; the answers, once all of it has been judged."""
        gateway = self.parts.service.gateway
        pair = gateway.pair("m")
        answers = [gateway.infer(pair, question(row[None])) for row in rows]
        self.rows += len(rows)
        deadline = time.monotonic() + 20
        while self._judged() < self.earlier + self.rows:
            assert time.monotonic() < deadline, f"{self._judged()} of {self.rows} rows are judged"
            time.sleep(0.005)
        return answers

    def _judged(self) -> int:
        progress: Any = self.parts.bench.progress("m")
        return int(progress["seen"] + progress["pending"])

    def states(self) -> dict[str, str]:
        """What this replica goes by, once it has heard of the latest decision."""
        router, epoch = self.parts.service.gateway.router, self.parts.bench.states["m"].epoch
        deadline = time.monotonic() + 20
        while router.routes("m").epoch < epoch:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return dict(router.routes("m").states)

    def events(self) -> list[tuple[str, str]]:
        """Scope and kind of everything in the audit trail."""
        return [(event.scope, event.kind) for _, event in self.parts.store.events(limit=1000)]


@contextmanager
def running(path: Path) -> Iterator[Running]:
    """Wired from a configuration file, started, and stopped at the end."""
    parts = wire_up(load(path, {}))
    parts.start()
    try:
        yield Running(parts)
    finally:
        parts.stop()


def served_by(answers: list[InferResponse], rows: Rows) -> dict[float, set[object]]:
    """Who answered, by group."""
    return {
        group: {answer.parameters["served_by"] for answer, row in zip(answers, rows, strict=True) if row[2] == group}
        for group in (0.0, 1.0)
    }


def test_harmed_subgroup_is_saved_and_only_it(tmp_path: Path) -> None:
    """The minority is answered by the baseline; the majority and the model as a whole stay as they are."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
        assert it.states() == {"model": "normal", MINORITY: "safe", MAJORITY: "normal"}
        assert it.events()[0] == (MINORITY, "breach")
        assert {scope for scope, _ in it.events()} == {MINORITY}
        rows = traffic(96, harm=True, seed=99)
        answers = it.ask(rows)
        assert served_by(answers, rows) == {0.0: {"compressed"}, 1.0: {"baseline"}}
        said = [int(answer.outputs["probabilities"][0].argmax()) for answer in answers]
        assert said == (rows[:, 1] > rows[:, 0]).astype(int).tolist(), "everybody is told what the baseline would say"


def test_subgroup_returns_when_its_shadow_has_recovered(tmp_path: Path) -> None:
    """In reverse shadow the compressed model proves that it is sound again, and gets its requests back."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
        assert it.states()[MINORITY] == "safe"
        for seed in range(20):
            it.ask(traffic(96, harm=False, seed=seed))
        assert it.states() == {"model": "normal", MINORITY: "normal", MAJORITY: "normal"}
        assert it.events() == [(MINORITY, what) for what in ("breach", "dwell-elapsed", "recovered")]
        rows = traffic(96, harm=False, seed=99)
        assert served_by(it.ask(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}


def test_clean_pair_never_trips(tmp_path: Path) -> None:
    """Two thousand rows without harm: no event, nobody answered by the baseline."""
    with running(write_config(tmp_path, config(tmp_path))) as it:
        rows = traffic(2000, harm=False)
        assert served_by(it.ask(rows), rows) == {0.0: {"compressed"}, 1.0: {"compressed"}}
        assert it.events() == []
        assert set(it.states().values()) == {"normal"}
        assert module.as_watched(it.parts.service.gateway.pair("m")).free


def test_stop_judges_all_that_was_served(tmp_path: Path) -> None:
    """Stopped right after the last answer: the state on disk has every row."""
    path = write_config(tmp_path, config(tmp_path))
    parts = wire_up(load(path, {}))
    parts.start()
    gateway = parts.service.gateway
    for row in traffic(500, harm=False):
        gateway.infer(gateway.pair("m"), question(row[None]))
    parts.stop()
    store = SqliteStore(tmp_path / "state" / DATABASE)
    snapshot = store.snapshot("m")
    store.close()
    assert snapshot is not None
    state = wire.decode_state(snapshot)
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


def test_evidence_of_another_configuration_starts_anew(tmp_path: Path) -> None:
    """Another limit is another question: counts begin again, and a scope in safe mode stays there."""
    path = write_config(tmp_path, config(tmp_path))
    with running(path) as it:
        for seed in range(8):
            it.ask(traffic(96, harm=True, seed=seed))
    changed = write_config(tmp_path, config(tmp_path, subgroup_limits={"disagreement": 0.3}))
    with running(changed) as it:
        assert it.states()[MINORITY] == "safe"
        assert {v.count for v in it.parts.bench.verdicts("m") if v.monitor != "sight"} == {0}


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
    """A snapshot that nobody can read is logged and counted; callers get their answers, and the log says by whom."""
    monkeypatch.setattr(module, "STOP_SECONDS", 0.3)
    path = write_config(tmp_path, config(tmp_path))
    with running(path):
        pass
    with sqlite3.connect(tmp_path / "state" / DATABASE) as db:
        db.execute("INSERT OR REPLACE INTO snapshots VALUES ('m', x'c1')")
    db.close()
    parts = wire_up(load(path, {}))
    with caplog.at_level(logging.WARNING):
        parts.start()
    gateway = parts.service.gateway
    request = question(traffic(1, harm=True))
    assert gateway.infer(gateway.pair("m"), request).parameters["served_by"] == "compressed"
    parts.stop()
    assert parts.judge.failures > 0
    assert "the judge has not told the modes yet" in caplog.text


def test_models_of_one_row_are_not_batched(tmp_path: Path) -> None:
    """A fixed first dimension is seen, and the shadow runs such a model row by row."""
    made = config(tmp_path)
    for role in Role:
        model = onnx.load(made["models"]["m"][role])
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1
        onnx.save(model, made["models"]["m"][role])
    with running(write_config(tmp_path, made)) as it:
        it.ask(traffic(20, harm=True))
        gateway = it.parts.service.gateway
        assert gateway.metrics.total("comparisons", model="m", scope="model") == 20
        assert gateway.metrics.total("comparison_errors", model="m", scope="model") == 0
        assert not module.as_watched(gateway.pair("m")).free


def test_port_in_use_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    """Found before anything is started; the line says which address."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    first = HttpServer(settings, parts)
    taken = first._listener.getsockname()[1]
    with pytest.raises(ConfigError, match=rf"cannot listen: Address already in use.*{taken}"):
        HttpServer(settings.model_copy(update={"server": settings.server.model_copy(update={"port": taken})}), parts)
    first._listener.close()
    parts.store.close()


def test_server_announces_where_it_listens_and_drains(tmp_path: Path) -> None:
    """Told to stop as soon as it is ready, it has listened on the address that it announced."""
    settings = load(write_config(tmp_path, config(tmp_path)), {})
    parts = wire_up(settings)
    server = HttpServer(settings, parts)
    port = server._listener.getsockname()[1]
    told: list[tuple[str, int]] = []

    def ready(host: str, number: int) -> None:
        told.append((host, number))
        server.should_exit = True

    parts.start()
    server.serve_until_told(ready)
    parts.stop()
    assert told == [("127.0.0.1", port)]
