"""Servers in turns under a closed loop: the table, tensors as bytes, the share that is sampled, and peers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.serving import rpc
from benchmarks.serving.models import KINDS
from benchmarks.serving.part import Effort, Outcome
from benchmarks.serving.process import NotStartedError
from benchmarks.serving.servers import (
    ALWAYS,
    BATCHING,
    BATCHING_NUMBERED,
    EMBEDDED,
    EMBEDDED_ALWAYS,
    EMBEDDED_NEVER,
    GATEWAY,
    GATEWAY_NUMBERED,
    NEVER,
    OURS_BINARY,
    PEERS,
    RAW,
    Candidate,
    on_kafka,
    python_of,
)
from benchmarks.serving.turns import Row, ring, row
from tightrope.demo.broker import BrokerError, broker


def cell(
    name: str,
    candidates: Sequence[Candidate],
    connections: Sequence[int],
    effort: Effort,
    folder: Path,
    *,
    size: int = 1,
    limit: bool = False,
) -> Iterator[Row]:
    """The candidates serving one model, beside the first of them; ``size`` rows a request."""
    what = name if size == 1 else f"{name}, {size} rows"
    with ring(KINDS[name], candidates, folder, size) as up:
        for count in connections:
            sides = up.turns(count, effort.slices, effort.seconds, limit=limit)
            yield from (row(what, count, sides[0], side) for side in sides)


def table(effort: Effort, folder: Path) -> Outcome:
    """The gateway beside servers by hand."""
    outcome, ours = Outcome(), [BATCHING, GATEWAY, RAW, EMBEDDED]
    with ExitStack() as stack:
        try:
            ours.append(on_kafka(stack.enter_context(broker()).address))
        except BrokerError as error:
            outcome.missing.append(f"gateway (Kafka): {error}")
        outcome.rows += cell("S", ours, (1, 8, 32), effort, folder)
    outcome.rows += cell("M", (BATCHING, GATEWAY, RAW, EMBEDDED), (1, 32), effort, folder, limit=True)
    outcome.rows += cell("MC", (RAW, GATEWAY, BATCHING, EMBEDDED), (1, 32), effort, folder)
    return outcome


def heads(effort: Effort, folder: Path) -> Outcome:
    """Callers who number their requests: no head comes twice."""
    return Outcome(rows=[*cell("S", (BATCHING_NUMBERED, GATEWAY_NUMBERED), (1, 8, 32), effort, folder)])


def binary(effort: Effort, folder: Path) -> Outcome:
    """The gateway asked in JSON and in bytes."""
    found: list[Row] = []
    for name in ("S", "M"):
        for size, connections in ((1, (1, 32)), (32, (1, 8))):
            found += cell(name, (GATEWAY, OURS_BINARY), connections, effort, folder, size=size)
    return Outcome(rows=found)


def grpc(effort: Effort, folder: Path) -> Outcome:
    """The gateway asked over HTTP, in bytes, and over gRPC; each by the load that speaks it."""
    missing = rpc.why_not()
    if missing:
        return Outcome(missing=[missing])
    both = (OURS_BINARY, rpc.over_grpc())
    found = [*cell("S", both, (1, 8, 32), effort, folder), *cell("M", both, (1, 32), effort, folder)]
    return Outcome(rows=found)


def sampling(effort: Effort, folder: Path) -> Outcome:
    """What sampling everything costs beside sampling nothing: a gateway's process, and all in one process."""
    found: list[Row] = []
    for both in ((NEVER, ALWAYS), (EMBEDDED_NEVER, EMBEDDED_ALWAYS)):
        for name in ("S", "M"):
            found += cell(name, both, (1, 32), effort, folder)
    return Outcome(rows=found)


def peers(effort: Effort, folder: Path) -> Outcome:
    """Servers of others, each beside the one by hand that batches, and beside the gateway."""
    outcome, fewer = Outcome(), replace(effort, slices=(effort.slices + 1) // 2)
    for peer, candidates in PEERS.items():
        if not python_of(peer).exists():
            outcome.missing.append(f"{peer}: not installed (`make peers` says why)")
            continue
        for one in candidates:
            try:
                found = [*cell("S", (BATCHING, GATEWAY, one), (1, 8, 32), fewer, folder)]
                found += cell("M", (BATCHING, GATEWAY, one), (1, 32), fewer, folder)
                ours, theirs = ([row for row in found if row.server == name] for name in (GATEWAY.name, one.name))
                outcome.rows += theirs
                beside = [other.ratio / our.ratio for our, other in zip(ours, theirs, strict=True)]
                outcome.figures[f"{one.name}, where it is fastest beside the gateway"] = max(beside)
            except NotStartedError as error:
                lines = str(error).splitlines()
                outcome.missing.append(f"{lines[0]} ({lines[-1]})")
    return outcome
