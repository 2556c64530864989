"""Benchmark of the time from a trip by evidence to the baseline's answers on all gateways.

Fifty models, each tripped by its own disagreeing traffic; a judge, workers, and two gateways.
"""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import urllib3
from rich.console import Console

from tightrope.demo.broker import Broker
from tightrope.demo.replay import DEMO_FOLDER, traffic
from tightrope.demo_run.cluster_story import DemoCluster, start_cluster
from tightrope.demo_run.gateway_process import write_demo_config
from tightrope.monitors.records import Role
from tightrope.service.adapters.topics import EVENTS
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load

MODELS = 50
TRIP_TIMEOUT_SECONDS = 15.0
"""Time within which a model must trip."""

ONLY_DISAGREEMENT = {
    "disagreement": 0.05,
    "clear_disagreement": None,
    "confidence": None,
    "confidence_shape": None,
    "confidence_jump": None,
    "class_miss": None,
    "class_gain": None,
    "mix": None,
}


def trips(kafka: Broker, folder: Path, out: Console) -> None:
    """Measure from Kafka's timestamp of the event to the first answer by the baseline on the later of two gateways."""
    pair = {
        "baseline": str(DEMO_FOLDER / "models/baseline_fp32.onnx"),
        "compressed": str(DEMO_FOLDER / "models/bad_pruned98.onnx"),
    }
    model = {**pair, "limits": ONLY_DISAGREEMENT, "sampling": {"rate": 1.0}}
    bus = {"kafka": {"servers": [kafka.address], "prefix": f"bench-{time.time_ns():x}-", "partitions": 4}}
    names = [f"m{number:02d}" for number in range(MODELS)]
    path, token = write_demo_config(folder, "bad_pruned98", 1.0, bus=bus, models=dict.fromkeys(names, model))
    bodies = [json.dumps(body) for body in disagreeing(path)]
    with start_cluster(path, token) as members, urllib3.PoolManager(retries=False) as http:
        addresses = [gateway.address for gateway in members.gateways]
        answered = {name: feed(http, addresses, name, bodies) for name in names}
        tripped = dict(events(members))
    delays = [answered[name] - tripped[name] for name in names if name in answered and name in tripped]
    assert len(delays) == MODELS, f"only {len(delays)} models tripped"
    out.print(
        f"two gateways, {MODELS} trips by evidence: the baseline answers on both"
        f" {statistics.median(delays):.3f} s (median), {max(delays):.3f} s (max) after the event"
    )


def disagreeing(path: Path) -> Iterator[dict[str, object]]:
    """Requests for which the two models' answers differ."""
    pair = next(iter(load_pairs(load(path)).values()))
    rows = np.array([row.codes for row in traffic()[:4000]], np.float32)
    classes = [pair.models[role].run({"input": rows}, [pair.output])[pair.output].argmax(axis=1) for role in Role]
    for row in rows[classes[0] != classes[1]][:400]:
        yield {"inputs": [{"name": "input", "shape": [1, 16], "datatype": "FP32", "data": row.tolist()}]}


def feed(http: urllib3.PoolManager, addresses: list[str], model: str, bodies: list[str]) -> float:
    """Send requests to the gateways in turn until the baseline answers on all of them; returns that time (epoch), or
    nan when it does not happen.
    """
    first: dict[str, float] = {}
    deadline = time.monotonic() + TRIP_TIMEOUT_SECONDS
    number = 0
    while len(first) < len(addresses) and time.monotonic() < deadline:
        for address in addresses:
            answer = http.request("POST", f"{address}/v2/models/{model}/infer", body=bodies[number % len(bodies)])
            if answer.json()["parameters"]["served_by"] == Role.BASELINE:
                first.setdefault(address, time.time())
        number += 1
    return max(first.values()) if len(first) == len(addresses) else float("nan")


def events(members: DemoCluster) -> Iterator[tuple[str, float]]:
    """Each model that tripped, and Kafka's timestamp of the event."""
    for record in members.records(EVENTS):
        event = record_codec.decode_event(record.value)
        if event.kind == "breach":
            yield event.model, record.time
