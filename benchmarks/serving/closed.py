"""Parts that measure servers in turns in a closed loop: the main table, head cache, tensors, sampling, and peers."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks.serving import rpc
from benchmarks.serving.models import MODEL_KINDS
from benchmarks.serving.part import Effort, Outcome
from benchmarks.serving.process import NotStartedError
from benchmarks.serving.server_group import ResultRow, result_row, server_group
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
    kafka_candidate,
    peer_python,
)
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
) -> Iterator[ResultRow]:
    """Measure candidates that serve one model, with requests of ``size`` rows; the first candidate is the reference."""
    workload = name if size == 1 else f"{name}, {size} rows"
    with server_group(MODEL_KINDS[name], candidates, folder, size) as group:
        for count in connections:
            results = group.measure_turns(count, effort.slices, effort.seconds, limit=limit)
            yield from (result_row(workload, count, results[0], result) for result in results)


def table(effort: Effort, folder: Path) -> Outcome:
    """Compare the gateway with minimal servers."""
    outcome, candidates = Outcome(), [BATCHING, GATEWAY, RAW, EMBEDDED]
    with ExitStack() as stack:
        try:
            candidates.append(kafka_candidate(stack.enter_context(broker()).address))
        except BrokerError as error:
            outcome.missing.append(f"gateway (Kafka): {error}")
        outcome.rows += cell("S", candidates, (1, 8, 32), effort, folder)
    outcome.rows += cell("M", (BATCHING, GATEWAY, RAW, EMBEDDED), (1, 32), effort, folder, limit=True)
    outcome.rows += cell("MC", (RAW, GATEWAY, BATCHING, EMBEDDED), (1, 32), effort, folder)
    return outcome


def heads(effort: Effort, folder: Path) -> Outcome:
    """Measure requests that each carry a different header, so that no cached head is ever reused."""
    return Outcome(rows=[*cell("S", (BATCHING_NUMBERED, GATEWAY_NUMBERED), (1, 8, 32), effort, folder)])


def binary(effort: Effort, folder: Path) -> Outcome:
    """Compare binary tensors with JSON, both at the gateway."""
    rows: list[ResultRow] = []
    for name in ("S", "M"):
        for size, connections in ((1, (1, 32)), (32, (1, 8))):
            rows += cell(name, (GATEWAY, OURS_BINARY), connections, effort, folder, size=size)
    return Outcome(rows=rows)


def grpc(effort: Effort, folder: Path) -> Outcome:
    """Compare gRPC, loaded by h2load, with binary tensors over HTTP, loaded by wrk."""
    missing = rpc.unavailable_reason()
    if missing:
        return Outcome(missing=[missing])
    both = (OURS_BINARY, rpc.grpc_candidate())
    return Outcome(rows=[*cell("S", both, (1, 8, 32), effort, folder), *cell("M", both, (1, 32), effort, folder)])


def sampling(effort: Effort, folder: Path) -> Outcome:
    """Compare sampling all requests with sampling none, in a gateway process and in the embedded process."""
    rows: list[ResultRow] = []
    for both in ((NEVER, ALWAYS), (EMBEDDED_NEVER, EMBEDDED_ALWAYS)):
        for name in ("S", "M"):
            rows += cell(name, both, (1, 32), effort, folder)
    return Outcome(rows=rows)


def peers(effort: Effort, folder: Path) -> Outcome:
    """Compare each peer with the minimal batching server and with the gateway."""
    outcome, fewer = Outcome(), replace(effort, slices=(effort.slices + 1) // 2)
    for peer, candidates in PEERS.items():
        if not peer_python(peer).exists():
            outcome.missing.append(f"{peer}: not installed (`make peers` says why)")
            continue
        for one in candidates:
            try:
                rows = [*cell("S", (BATCHING, GATEWAY, one), (1, 8, 32), fewer, folder)]
                rows += cell("M", (BATCHING, GATEWAY, one), (1, 32), fewer, folder)
                ours, theirs = ([row for row in rows if row.server == name] for name in (GATEWAY.name, one.name))
                outcome.rows += theirs
                ratios = [other.ratio / our.ratio for our, other in zip(ours, theirs, strict=True)]
                outcome.figures[f"{one.name} / gateway, best case"] = max(ratios)
            except NotStartedError as error:
                lines = str(error).splitlines()
                outcome.missing.append(f"{lines[0]} ({lines[-1]})")
    return outcome
