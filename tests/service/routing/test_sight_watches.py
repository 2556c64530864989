"""All watches over the sight of the judge are started, told of heartbeats, and stopped."""

import threading
from pathlib import Path

import numpy as np
import pytest

from tests.service.inference.test_batch import request
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.wire.heartbeat import Heartbeat
from tightrope.service.protocol.rest import InferResponse
from tightrope.service.routing.sight_watches import SightWatches
from tightrope.service.sampling import recorder

NAMES = {"blindness", "scope-watch", "starvation-watch", "loss-watch"}


def test_watches_see_the_counts_and_heartbeats(tmp_path: Path) -> None:
    """A heartbeat ends the wait of the model and its subgroups; each watch has a thread of its own."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})
    scopes, now = {"m": bench.pairs["m"].subgroups.scopes}, [0.0]
    watches = SightWatches(
        bench.router, scopes, {"m": 5.0}, bench.outbox, bench.recorder.served.totals, bench.metrics, lambda: now[0]
    )
    watches.hear(Heartbeat("m", "j", 0.0, 0, dict.fromkeys(scopes["m"], 0)))
    bench.outbox.add_drawn("m", 30)
    bench.outbox.drawn_by_scope["m"] = np.full(len(scopes["m"]), 30)
    watches._blindness.check()
    now[0] = 6.0
    watches._blindness.check()
    assert bench.router.blindness("m")
    watches.hear(Heartbeat("m", "j", 1.0, 30, dict.fromkeys(scopes["m"], 30)))
    assert not bench.router.blindness("m")
    assert watches._loss._models["m"].judged.tolist() == [30] * (1 + len(scopes["m"]))
    watches.start()
    assert {thread.name for thread in threading.enumerate()} >= NAMES
    watches.stop(10.0)
    assert not {thread.name for thread in threading.enumerate()} & NAMES


def test_model_is_answered_by_the_baseline_while_sampling_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the answered requests to the router; it returns when they are kept again."""
    bench = GatewayHarness(tmp_path, {"m": {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS}})
    scopes = {"m": bench.pairs["m"].subgroups.scopes}
    watches = SightWatches(
        bench.router, scopes, {"m": 5.0}, bench.outbox, bench.recorder.served.totals, bench.metrics, lambda: 0.0
    )

    def served_by(number: int) -> object:
        asked = [request([[5.0, float(each)]], f"r{each}", "north") for each in range(number)]
        answers = answer_together(bench.engine, "m", asked)
        bench.engine.sample_answers()
        watches._starvation.check()
        assert isinstance(answers[0], InferResponse)
        return answers[0].parameters["served_by"]

    with monkeypatch.context() as broken:
        broken.setattr(recorder, "draw_requests", lambda *_: ())
        assert [served_by(40), served_by(40)] == ["compressed", "baseline"]
    assert [served_by(40), served_by(1)] == ["baseline", "compressed"]
    assert [(event.kind, event.scope) for event in bench.published()[1]] == [
        ("starved-began", MODEL_SCOPE),
        ("starved-ended", MODEL_SCOPE),
    ]
