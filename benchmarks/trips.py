"""How soon after a trip by evidence every gateway answers from the baseline: fifty models, each tripped by its own
disagreeing traffic, a judge, a worker or two, and two gateways.
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
from tightrope.demo.replay import HERE, traffic
from tightrope.demo_run.cluster_story import Troupe, on_stage
from tightrope.demo_run.gateway_process import written
from tightrope.monitors.records import Role
from tightrope.service.adapters.topics import EVENTS
from tightrope.service.adapters.wire import record_codec
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load

MODELS = 50
PATIENCE = 15.0
"""Seconds in which a model must have tripped."""

ONLY_DISAGREEMENT = {"disagreement": 0.05, "confidence": None, "confidence_shape": None, "mix": None}


def trips(kafka: Broker, folder: Path, out: Console) -> None:
    """From the event, as Kafka has stamped it, to the first answer by the baseline on the later of two gateways."""
    pair = {"baseline": str(HERE / "models/baseline_fp32.onnx"), "compressed": str(HERE / "models/bad_pruned98.onnx")}
    model = {**pair, "limits": ONLY_DISAGREEMENT, "sampling": {"rate": 1.0}}
    bus = {"kafka": {"servers": [kafka.address], "prefix": f"bench-{time.time_ns():x}-", "partitions": 4}}
    names = [f"m{number:02d}" for number in range(MODELS)]
    path, token = written(folder, "bad_pruned98", 1.0, bus=bus, models=dict.fromkeys(names, model))
    bodies = [json.dumps(body) for body in disagreeing(path)]
    with on_stage(path, token) as troupe, urllib3.PoolManager(retries=False) as http:
        addresses = [gateway.address for gateway in troupe.gateways]
        answered = {name: feed(http, addresses, name, bodies) for name in names}
        tripped = dict(events(troupe))
    taken = [answered[name] - tripped[name] for name in names if name in answered and name in tripped]
    assert len(taken) == MODELS, f"only {len(taken)} models tripped"
    out.print(
        f"two gateways, {MODELS} trips by evidence: both answer by the baseline"
        f" {statistics.median(taken):.3f} s (median), {max(taken):.3f} s (max) after the event"
    )


def disagreeing(path: Path) -> Iterator[dict[str, object]]:
    """Requests to which the two models give different answers."""
    pair = next(iter(load_pairs(load(path)).values()))
    rows = np.array([row.codes for row in traffic()[:4000]], np.float32)
    said = [pair.models[role].run({"input": rows}, [pair.output])[pair.output].argmax(axis=1) for role in Role]
    for row in rows[said[0] != said[1]][:400]:
        yield {"inputs": [{"name": "input", "shape": [1, 16], "datatype": "FP32", "data": row.tolist()}]}


def feed(http: urllib3.PoolManager, addresses: list[str], model: str, bodies: list[str]) -> float:
    """Ask the gateways in turn; when the last of them began to answer by the baseline, in seconds since the epoch."""
    first: dict[str, float] = {}
    deadline = time.monotonic() + PATIENCE
    number = 0
    while len(first) < len(addresses) and time.monotonic() < deadline:
        for address in addresses:
            answer = http.request("POST", f"{address}/v2/models/{model}/infer", body=bodies[number % len(bodies)])
            if answer.json()["parameters"]["served_by"] == Role.BASELINE:
                first.setdefault(address, time.time())
        number += 1
    return max(first.values()) if len(first) == len(addresses) else float("nan")


def events(troupe: Troupe) -> Iterator[tuple[str, float]]:
    """Each model that tripped, and when Kafka took the event."""
    for record in troupe.everything(EVENTS):
        event = record_codec.decode_event(record.value)
        if event.kind == "breach":
            yield event.model, record.time
