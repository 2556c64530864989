"""Three kinds of decision on a cluster: their samples and comparisons go through a real Kafka."""

import shutil
from pathlib import Path

import numpy as np

from tests.kinds.conftest import Built
from tests.support.cluster.cluster import ClusterGateway, cluster_of, wait_until, write_config_on
from tests.support.kinds.caller_rows import make_rows
from tests.support.kinds.onnx_graphs import noisy, rounded_to_fp16, with_weights
from tests.support.kinds.public_pairs import PAIRS
from tightrope.demo.broker import Broker
from tightrope.service.protocol.rest import InferRequest
from tightrope.wiring import shadow_processes

HARMED = ("multilabel", "token-classifier")
FAITHFUL = ("embedding",)
ROWS = 300


def ask(gateway: ClusterGateway, built: Built, name: str, count: int) -> set[object]:
    """Send requests of one row to a model; returns who answered them."""
    engine, random = gateway.gateway, np.random.default_rng(5)
    pair = engine.pair(name)
    every = (make_rows(PAIRS[name], built(name), 1, random) for _ in range(count))
    asked = (pair.rows_first(InferRequest(None, {}, given, (), binary_default=False)) for given in every)
    return {engine.infer(pair, one).parameters["served_by"] for one in asked}


def test_harmful_students_are_found_over_kafka(kafka: Broker, built: Built, tmp_path: Path) -> None:
    """One gives other labels, one other classes of places; a faithful embedding is left alone."""
    models = {}
    for name in (*HARMED, *FAITHFUL):
        place = tmp_path / name
        place.mkdir()
        baseline = shutil.copyfile(built(name) / "baseline.onnx", place / "baseline.onnx")
        with_weights(baseline, place / "compressed.onnx", noisy(1.0) if name in HARMED else rounded_to_fp16)
        models[name] = PAIRS[name].section(place)
    whole = {"models": models, "alarms": {"samples_per_false_alarm": 1e4}, "state": "state"}
    with cluster_of(write_config_on(kafka.address, tmp_path, whole)) as cluster:
        cluster.make_topics()
        gateway = cluster.gateway()
        for part in (shadow_processes.judge, shadow_processes.worker):
            cluster.start(part)
        router = gateway.gateway.router
        wait_until(lambda: all(router.routes(name).epoch >= 0 and not router.blindness(name) for name in models))
        for name in models:
            assert "compressed" in ask(gateway, built, name, ROWS)
        wait_until(lambda: all("model" in router.routes(name).safe for name in HARMED))
        wait_until(lambda: sum(len(batch) for batch in cluster.batches()) >= ROWS * len(models))
        assert {name: ask(gateway, built, name, 1) for name in HARMED} == {name: {"baseline"} for name in HARMED}
        assert [ask(gateway, built, name, 1) for name in FAITHFUL] == [{"compressed"}] * len(FAITHFUL)
        losses = np.concatenate([batch.loss for batch in cluster.batches() if batch.model in FAITHFUL])
        assert losses.max() < 0.02
        assert cluster.dead() == []
