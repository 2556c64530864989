"""Parts that measure latency in an open loop: at shares of the capacity, without Kafka, beside a busy model, soak."""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving.arrivals import Stream, run_stream
from benchmarks.serving.goals import ON_KAFKA, OUTAGE_FIGURE
from benchmarks.serving.load import wrk
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.part import Effort, Latency, Outcome
from benchmarks.serving.process import Server, free_port, running_server
from benchmarks.serving.requests import as_json
from benchmarks.serving.server_group import server_group
from benchmarks.serving.servers import BATCHING, GATEWAY, gateway_of_models, kafka_candidate
from tightrope.demo.broker import BrokerError, broker

S, M = MODEL_KINDS["S"], MODEL_KINDS["M"]
REQUESTS = as_json(S, 1)
CONNECTIONS = 32
SHARES = (0.2, 0.5, 0.8)
STREAM_SECONDS = 4.0
NEIGHBOUR_RATE = 200.0
"""Requests/s of the small model while the other model of its gateway is idle or saturated."""
OUTAGE_SHARE = 0.5
"""Load of the gateway that loses Kafka, as a share of its capacity."""
RECOVERY_SECONDS = 4.0
"""Time for clients to reconnect to a restarted broker, or to notice that it is gone."""
SOAK_SHARE, SOAK_SLICE_SECONDS, SOAK_WARM_UP_SECONDS = 0.8, 10.0, 60.0
"""The soak test: its share of the capacity, the time between memory readings, and the start that the slope ignores."""


def pooled(workload: str, server: str, rate: float, streams: Sequence[Stream]) -> Latency:
    """Summarise the answers of several streams together."""
    latencies = np.concatenate([np.asarray(one.latencies) for one in streams])
    p50, p99, p999 = np.percentile(latencies, (50, 99, 99.9)) if len(latencies) else (float("nan"),) * 3
    errors, late = sum(one.errors for one in streams), max(one.generator_late for one in streams)
    return Latency(workload, server, rate, float(p50), float(p99), float(p999), errors, late)


def opened(effort: Effort, folder: Path) -> Outcome:
    """Compare the gateway with the minimal batching server at the same rates."""
    outcome = Outcome()
    with server_group(S, (BATCHING, GATEWAY), folder) as group:
        capacity = _capacity(group.measure_turns(CONNECTIONS, 3, effort.seconds)[1].rate, outcome)
        for share in SHARES:
            streams_of: dict[str, list[Stream]] = {name: [] for name in group.servers}
            for _ in range(effort.slices):
                for name, server in group.servers.items():
                    streams_of[name].append(run_stream(server.address, REQUESTS, share * capacity, STREAM_SECONDS))
                    server.settle()
            for name, streams in streams_of.items():
                outcome.latencies.append(pooled(f"{share:.0%} of capacity", name, share * capacity, streams))
    return outcome


def outage(effort: Effort, folder: Path) -> Outcome:
    """Measure a gateway while Kafka runs and while it is killed, in turns."""
    outcome = Outcome()
    running: list[Stream] = []
    killed: list[Stream] = []
    try:
        with broker() as kafka, server_group(S, [kafka_candidate(kafka.address)], folder) as group:
            (server,) = group.servers.values()
            rate = OUTAGE_SHARE * _capacity(group.measure_turns(CONNECTIONS, 3, effort.seconds)[0].rate, outcome)
            for _ in range(effort.slices):
                running.append(_after_recovery(server, rate))
                kafka.stop(signal.SIGKILL)
                killed.append(_after_recovery(server, rate))
                kafka.start()
    except BrokerError as error:
        outcome.missing.append(f"outage: {error}")
        return outcome
    for workload, streams in (("Kafka runs", running), ("Kafka is dead", killed)):
        outcome.latencies.append(pooled(workload, ON_KAFKA, rate, streams))
    ratios = [without.percentile(0.99) / with_.percentile(0.99) for with_, without in zip(running, killed, strict=True)]
    outcome.figures[OUTAGE_FIGURE] = float(np.median(ratios))
    return outcome


def neighbours(effort: Effort, folder: Path) -> Outcome:
    """Measure the small model of a gateway while its large model is idle and while it is saturated."""
    port = free_port()
    idle: list[Stream] = []
    saturated: list[Stream] = []
    with running_server(
        "gateway", gateway_of_models([S, M], folder, port), port, REQUESTS[0], folder / "log"
    ) as server:
        load = wrk(as_json(M, 1), folder)
        for _ in range(effort.slices):
            idle.append(run_stream(server.address, REQUESTS, NEIGHBOUR_RATE, STREAM_SECONDS))
            busy = threading.Thread(target=load, args=(server.address, CONNECTIONS, STREAM_SECONDS + 2))
            busy.start()
            time.sleep(1.0)
            saturated.append(run_stream(server.address, REQUESTS, NEIGHBOUR_RATE, STREAM_SECONDS))
            busy.join()
            server.settle()
    both = (("the other model is idle", idle), ("the other model is saturated", saturated))
    return Outcome(latencies=[pooled(workload, "gateway", NEIGHBOUR_RATE, streams) for workload, streams in both])


def soak(effort: Effort, folder: Path) -> Outcome:
    """Load the gateway for minutes at a high rate: memory growth, slowest answers, errors."""
    outcome, streams, memory = Outcome(), list[Stream](), list[tuple[float, float]]()
    with server_group(S, [GATEWAY], folder) as group:
        (server,) = group.servers.values()
        rate = SOAK_SHARE * _capacity(group.measure_turns(CONNECTIONS, 3, effort.seconds)[0].rate, outcome)
        began = time.monotonic()
        while time.monotonic() < began + 60 * effort.minutes:
            streams.append(run_stream(server.address, REQUESTS, rate, SOAK_SLICE_SECONDS))
            memory.append((time.monotonic() - began, server.cost().megabytes))
    outcome.latencies.append(pooled(f"{effort.minutes:g} minutes at {SOAK_SHARE:.0%}", "gateway", rate, streams))
    outcome.figures["MB at the end"] = memory[-1][1]
    steady = np.array([one for one in memory if one[0] > SOAK_WARM_UP_SECONDS])
    if len(steady) > 1:
        outcome.figures["growth, MB per hour"] = float(np.polyfit(steady[:, 0], steady[:, 1], 1)[0]) * 3600
    return outcome


def _capacity(rate: float, outcome: Outcome) -> float:
    outcome.figures["capacity, requests/s"] = rate
    return rate


def _after_recovery(server: Server, rate: float) -> Stream:
    time.sleep(RECOVERY_SECONDS)
    return run_stream(server.address, REQUESTS, rate, STREAM_SECONDS)
