from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from tests.support.configs import write_config
from tests.support.judgement.comparisons import judged_count, open_tick_rows
from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, TrafficRow, traffic
from tightrope.monitors import watch
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.config.loader import load
from tightrope.service.protocol.rest import InferRequest
from tightrope.shadow.migration import FRESH
from tightrope.wiring.embedded import Embedded, build_embedded


def trial(folder: Path, model: str) -> Embedded:
    """Run the demo's configuration with this compressed model."""
    demo: dict[str, Any] = YAML(typ="safe").load(DEMO_FOLDER / "tightrope.yaml")
    for role, name in (("baseline", "baseline_fp32"), ("compressed", model)):
        demo["models"][DEMO_MODEL][role] = str(DEMO_FOLDER / f"models/{name}.onnx")
    return build_embedded(load(write_config(folder, demo), {}))


def play(parts: Embedded, rows: list[TrafficRow]) -> None:
    """Send all rows, one per request, and return the state when all are judged."""
    gateway = parts.service.engine
    pair = gateway.pair(DEMO_MODEL)
    parts.start()
    for row in rows:
        codes = {"input": np.array([row.codes], np.float32)}
        gateway.infer(pair, InferRequest(id=row.id, parameters={}, inputs=codes, outputs=(), binary_default=False))
    parts.service.stop(60)
    assert parts.worker.stop(60)
    assert parts.judge.stop(60)


def test_good_model_raises_no_alarm(tmp_path: Path) -> None:
    """All of the demo's traffic, without HTTP: every row is judged, and no scope trips."""
    rows = traffic()
    parts = trial(tmp_path, "good_distilled")
    play(parts, rows)
    state = parts.view.states[DEMO_MODEL]
    assert judged_count(state) + len(open_tick_rows(state)) == len(rows)
    assert [event.kind for _, event in parts.store.events()] == [FRESH]
    assert not any(mode.safe for mode in state.modes)
    parts.stop()


def test_harmed_group_goes_to_safe_mode_by_request_576(tmp_path: Path) -> None:
    """The model that was distilled on households alone harms it; nothing else moves by then."""
    parts = trial(tmp_path, "bad_distilled_households_only")
    play(parts, traffic()[:640])
    moves = [event for _, event in parts.store.events() if event.kind != FRESH]
    assert [(event.kind, event.scope) for event in moves] == [("breach", "residence=group_quarters")]
    assert 0 < moves[0].detail["samples"] <= 576
    parts.stop()


def test_model_that_harms_all_scopes_is_replaced(tmp_path: Path) -> None:
    """The model as a whole goes to safe mode early, and every gateway gets the new routes."""
    parts = trial(tmp_path, "bad_pruned98")
    play(parts, traffic()[:1500])
    first = parts.store.events()[1][1]
    assert (first.scope, first.kind) == ("model", "breach")
    assert watch.build_routes(parts.view.plans[DEMO_MODEL], parts.view.states[DEMO_MODEL]).safe[0] == MODEL_SCOPE
    parts.stop()
