"""Latency in an open loop: at shares of what the gateway can do, without Kafka, beside a busy neighbour, for long."""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving.arrivals import Stream, stream
from benchmarks.serving.load import wrk
from benchmarks.serving.models import KINDS
from benchmarks.serving.part import Effort, Latency, Outcome
from benchmarks.serving.process import Server, free_port, running
from benchmarks.serving.requests import as_json
from benchmarks.serving.servers import BATCHING, GATEWAY, on_kafka, on_sink
from benchmarks.serving.turns import ring
from tightrope.demo.broker import BrokerError, broker

S, M = KINDS["S"], KINDS["M"]
REQUESTS = as_json(S, 1)
CONNECTIONS = 32
SHARES = (0.2, 0.5, 0.8)
STREAM_SECONDS = 4.0
CALM = 200.0
"""Requests a second of a model whose neighbour is busy."""
LOST_SHARE = 0.5
"""Of its capacity, asked of a gateway that loses Kafka."""
RECOVERY = 4.0
"""Seconds for a broker that was killed and its clients to find each other again, or to notice that they cannot."""
STEADY_SHARE, WATCH_EVERY, FIRST = 0.8, 10.0, 60.0
"""The long run: its share of capacity; seconds between two looks at the memory; its first seconds tell no slope."""


def pooled(what: str, server: str, rate: float, streams: Sequence[Stream]) -> Latency:
    """Several streams as one."""
    everything = np.concatenate([np.asarray(one.latencies) for one in streams])
    p50, p99, p999 = np.percentile(everything, (50, 99, 99.9)) if len(everything) else (float("nan"),) * 3
    errors, late = sum(one.errors for one in streams), max(one.late for one in streams)
    return Latency(what, server, rate, float(p50), float(p99), float(p999), errors, late)


def opened(effort: Effort, folder: Path) -> Outcome:
    """The gateway and the one by hand, at the same rates."""
    outcome = Outcome()
    with ring(S, (BATCHING, GATEWAY), folder) as up:
        capacity = _capacity(up.turns(CONNECTIONS, 3, effort.seconds)[1].rate, outcome)
        for share in SHARES:
            found: dict[str, list[Stream]] = {name: [] for name in up.servers}
            for _ in range(effort.slices):
                for name, server in up.servers.items():
                    found[name].append(stream(server.address, REQUESTS, share * capacity, STREAM_SECONDS))
                    server.settle()
            for name, streams in found.items():
                outcome.latencies.append(pooled(f"{share:.0%} of capacity", name, share * capacity, streams))
    return outcome


def outage(effort: Effort, folder: Path) -> Outcome:
    """A gateway with Kafka there and killed in turns."""
    outcome = Outcome()
    found: dict[str, list[Stream]] = {"Kafka is there": [], "Kafka is dead": []}
    try:
        with broker() as kafka, ring(S, [on_kafka(kafka.address)], folder) as up:
            (server,) = up.servers.values()
            rate = LOST_SHARE * _capacity(up.turns(CONNECTIONS, 3, effort.seconds)[0].rate, outcome)
            for _ in range(effort.slices):
                found["Kafka is there"].append(_rested(server, rate))
                kafka.stop(signal.SIGKILL)
                found["Kafka is dead"].append(_rested(server, rate))
                kafka.start()
    except BrokerError as error:
        outcome.missing.append(f"outage: {error}")
        return outcome
    outcome.latencies += [pooled(what, "gateway (Kafka)", rate, streams) for what, streams in found.items()]
    ratios = [dead.percentile(0.99) / there.percentile(0.99) for there, dead in zip(*found.values(), strict=True)]
    outcome.figures["p99 without Kafka, of p99 with it"] = float(np.median(ratios))
    return outcome


def neighbours(effort: Effort, folder: Path) -> Outcome:
    """Two models on one gateway: the small one's latency alone, and while the large one is asked all it can take."""
    port = free_port()
    found: dict[str, list[Stream]] = {"the other model is idle": [], "the other model is saturated": []}
    with running("gateway", on_sink([S, M], folder, port), port, REQUESTS[0], folder / "log") as server:
        load = wrk(as_json(M, 1), folder)
        for _ in range(effort.slices):
            found["the other model is idle"].append(stream(server.address, REQUESTS, CALM, STREAM_SECONDS))
            busy = threading.Thread(target=load, args=(server.address, CONNECTIONS, STREAM_SECONDS + 2))
            busy.start()
            time.sleep(1.0)
            found["the other model is saturated"].append(stream(server.address, REQUESTS, CALM, STREAM_SECONDS))
            busy.join()
            server.settle()
    return Outcome(latencies=[pooled(what, "gateway", CALM, streams) for what, streams in found.items()])


def soak(effort: Effort, folder: Path) -> Outcome:
    """Minutes at a high rate: what the memory does, the slowest answers, errors."""
    outcome, streams, held = Outcome(), list[Stream](), list[tuple[float, float]]()
    with ring(S, [GATEWAY], folder) as up:
        (server,) = up.servers.values()
        rate = STEADY_SHARE * _capacity(up.turns(CONNECTIONS, 3, effort.seconds)[0].rate, outcome)
        began = time.monotonic()
        while time.monotonic() < began + 60 * effort.minutes:
            streams.append(stream(server.address, REQUESTS, rate, WATCH_EVERY))
            held.append((time.monotonic() - began, server.cost().megabytes))
    outcome.latencies.append(pooled(f"{effort.minutes:g} minutes at {STEADY_SHARE:.0%}", "gateway", rate, streams))
    outcome.figures["MB at the end"] = held[-1][1]
    steady = np.array([one for one in held if one[0] > FIRST])
    if len(steady) > 1:
        outcome.figures["MB an hour"] = float(np.polyfit(steady[:, 0], steady[:, 1], 1)[0]) * 3600
    return outcome


def _capacity(rate: float, outcome: Outcome) -> float:
    outcome.figures["capacity"] = rate
    return rate


def _rested(server: Server, rate: float) -> Stream:
    """A stream, when everybody has got over what happened before."""
    time.sleep(RECOVERY)
    return stream(server.address, REQUESTS, rate, STREAM_SECONDS)
