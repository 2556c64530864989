from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from tests.support.judgement.comparisons import seen, waiting
from tests.support.servers import write_config
from tightrope.demo.replay import HERE, MODEL, Row, traffic
from tightrope.monitors import watch
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring.embedded import Embedded, wire_up


def trial(folder: Path, model: str) -> Embedded:
    """The demo's configuration with this model on trial."""
    demo: dict[str, Any] = YAML(typ="safe").load(HERE / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", model)):
        demo["models"][MODEL][role] = str(HERE / f"models/{name}.onnx")
    return wire_up(load(write_config(folder, demo), {}))


def play(parts: Embedded, rows: list[Row]) -> None:
    """All rows, one request each, and everything judged by the end."""
    gateway = parts.service.gateway
    pair = gateway.pair(MODEL)
    parts.start()
    for row in rows:
        codes = {"input": np.array([row.codes], np.float32)}
        gateway.infer(pair, InferRequest(id=row.id, parameters={}, inputs=codes, outputs=(), binary_default=False))
    parts.service.stop(60)
    assert parts.worker.stop(60)
    assert parts.judge.stop(60)


def test_good_model_trips_nobody(tmp_path: Path) -> None:
    """All of the demo's traffic, without HTTP: every row is judged, and nothing happens."""
    rows = traffic()
    parts = trial(tmp_path, "good_distilled")
    play(parts, rows)
    state = parts.bench.states[MODEL]
    assert seen(state) + len(waiting(state)) == len(rows)
    assert parts.store.events() == []
    assert not any(mode.safe for mode in state.modes)
    parts.store.close()


def test_model_that_is_bad_for_everybody_is_taken_out_of_service(tmp_path: Path) -> None:
    """The model as a whole goes to safe mode, and soon; that is told to every gateway."""
    parts = trial(tmp_path, "bad_pruned98")
    play(parts, traffic()[:1500])
    first = parts.store.events()[0][1]
    assert (first.scope, first.kind) == ("model", "breach")
    assert watch.routes(parts.bench.plans[MODEL], parts.bench.states[MODEL]).safe[0] == MODEL_SCOPE
    parts.store.close()
