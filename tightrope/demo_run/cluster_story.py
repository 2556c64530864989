"""The demo's story on a cluster: two gateways, two workers and a judge as processes of their own, over a real Kafka.

Every sample is accounted for in the end, from the topics themselves: what was sampled was dropped and counted,
compared, or parked; nothing is lost, and nothing is judged twice.
"""

import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.demo.replay import MODEL, Answer, Row, replay, traffic
from tightrope.demo_run.board import Board
from tightrope.demo_run.gateway_process import Gateway, address_of, running, written
from tightrope.demo_run.story import SECONDS, Tally, baseline_correct, told_of, trips_of
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import COMPARISONS, DEAD, EVENTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.loader import load
from tightrope.service.errors import ServerError
from tightrope.wiring.topics import options_of, topics

GATEWAYS, WORKERS, JUDGES = 2, 2, 1
READY_SECONDS = 60.0
SETTLE_SECONDS = 60.0

LATER = frozenset(("undeliverable", "too_large", "old_artefact"))
"""Why a sample was dropped after it had been kept; for other reasons it never was."""


@dataclass(frozen=True, slots=True)
class Troupe:
    """A running cluster: its gateways, and its log."""

    gateways: Sequence[Gateway]
    bus: KafkaBus

    def everything(self, name: str) -> Iterator[Record]:
        """All records of a topic."""
        reader = self.bus.subscribe(topic(name))
        while reader.lag():
            yield from reader.poll(1000, 1.0)
        reader.close()


@contextmanager
def cluster(folder: Path, kafka: str, model: str, sampling: float) -> Iterator[Troupe]:
    """The demo's, on topics of its own."""
    bus = {"kafka": {"servers": [kafka], "prefix": f"demo-{time.time_ns():x}-", "partitions": 4}}
    path, token = written(folder, model, sampling, bus=bus)
    with on_stage(path, token) as troupe:
        yield troupe


@contextmanager
def on_stage(path: Path, token: str) -> Iterator[Troupe]:
    """A configuration's topics made, all processes started, ready; told to stop at the end."""
    settings = load(path)
    topics(settings, check=False)
    log = KafkaBus(options_of(settings))
    parts = ["judge"] * JUDGES + ["worker"] * WORKERS + ["serve"] * GATEWAYS
    with ExitStack() as stack:
        stack.callback(log.close, 1.0)
        processes = [stack.enter_context(running(command(part, path))) for part in parts]
        members = [Gateway(address_of(process), token) for process in processes]
        for member in members:
            _ready(member)
        yield Troupe(members[-GATEWAYS:], log)


def command(part: str, path: Path) -> list[str]:
    """How one part of a cluster is started."""
    return [sys.executable, "-P", "-m", "tightrope", part, str(path), "--json"]


def _ready(member: Gateway) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not member.get("/v2/health/ready")["ready"]:
        if time.monotonic() > deadline:
            raise ServerError(f"{member.address} is not ready after {READY_SECONDS:.0f} s")
        time.sleep(0.1)


def tell(kafka: str, model: str, sampling: float, *, fast: bool) -> dict[str, object]:
    """Play the story, and return it as the JSON object that machines get."""
    began = time.monotonic()
    rows = traffic()
    with tempfile.TemporaryDirectory(prefix="tightrope-") as folder:
        with cluster(Path(folder), kafka, model, sampling) as troupe:
            answers = _play(troupe, rows, None if fast else len(rows) / SECONDS)
            status, ledger = _settled(troupe)
            trips = trips_of(troupe.gateways[0])
            switches = _switches(troupe, answers)
        told = told_of(Board(model, sampling, len(rows)), status, trips, _tallies(rows, answers))
    return {
        **told,
        "ledger": ledger,
        "switch_seconds": {
            "median": round(statistics.median(switches), 3) if switches else None,
            "max": round(max(switches), 3) if switches else None,
        },
        "seconds": round(time.monotonic() - began, 1),
    }


def _play(troupe: Troupe, rows: list[Row], pace: float | None) -> list[list[Answer]]:
    """Each gateway gets every other row, all at the same time."""
    number = len(troupe.gateways)

    def part(index: int) -> list[Answer]:
        return list(replay(troupe.gateways[index].address, rows[index::number], pace and pace / number))

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(part, range(number)))


def _tallies(rows: list[Row], answers: list[list[Answer]]) -> dict[str, Tally]:
    """What the callers of each scope got, in the order in which they were answered."""
    right = {row.id: correct for row, correct in zip(rows, baseline_correct(rows), strict=True)}
    tallies = {scope: Tally() for scope in (MODEL_SCOPE, *dict.fromkeys(s for row in rows for s in row.scopes))}
    for answer in sorted((a for part in answers for a in part), key=lambda a: a.at):
        for scope in (MODEL_SCOPE, *answer.row.scopes):
            tallies[scope].add(answer, baseline_correct=right[answer.row.id])
    return tallies


def _switches(troupe: Troupe, answers: list[list[Answer]]) -> list[float]:
    """Seconds from each trip to the last gateway's first answer by the baseline."""
    found = []
    for record in troupe.everything(EVENTS):
        event = record_codec.decode_event(record.value)
        if event.kind == "breach" and event.detail["moved"]:
            firsts = [first for part in answers if (first := _first(part, event.scope, record.time))]
            found += [max(firsts) - record.time] if len(firsts) == len(answers) else []
    return found


def _first(answers: list[Answer], scope: str, since: float) -> float | None:
    mine = (a for a in answers if scope == MODEL_SCOPE or scope in a.row.scopes)
    return next((a.at for a in mine if a.at >= since and a.served_by == "baseline"), None)


def _settled(troupe: Troupe) -> tuple[dict[str, Any], dict[str, int]]:
    """The status and the ledger, once everything that was sampled has been judged."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        status = troupe.gateways[0].get(f"/v1/models/{MODEL}")
        counts = sum((_counts(gateway) for gateway in troupe.gateways), Counter[str]())
        judged = status["judged"]["seen"] + status["judged"]["pending"]
        if judged >= counts["kept"] - counts["late"] or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    status["sampling"]["dropped"] = counts["never"] + counts["late"]
    return status, ledger(troupe, counts, judged)


def _counts(gateway: Gateway) -> Counter[str]:
    """What a gateway kept, what it never kept, and what it dropped after it had kept it."""
    page = gateway.text("/metrics")
    counts: Counter[str] = Counter(kept=_sum(re.findall(r"^tightrope_samples_total\{.*\} (.*)$", page, re.MULTILINE)))
    for reason, number in re.findall(r'^tightrope_samples_dropped_total\{.*reason="(.*)"\} (.*)$', page, re.MULTILINE):
        counts["late" if reason in LATER else "never"] += int(float(number))
    return counts


def _sum(numbers: list[str]) -> int:
    return int(sum(map(float, numbers)))


def ledger(troupe: Troupe, counts: Counter[str], judged: int) -> dict[str, int]:
    """Where every sample went: sampled = dropped + compared + dead_lettered + lost."""
    compared = {
        (int(partition), int(offset), name)
        for record in troupe.everything(COMPARISONS)
        if record_codec.schema_of(record.value) == record_codec.COMPARISONS
        for rows in (record_codec.decode_comparisons(record.value),)
        for partition, offset, name in zip(rows.partition, rows.offset, rows.request_id, strict=True)
    }
    dead = sum(_samples_in(record) for record in troupe.everything(DEAD))
    sampled, dropped = counts["kept"] + counts["never"], counts["never"] + counts["late"]
    ids = len({name for _, _, name in compared})
    return {
        "sampled": sampled,
        "dropped": dropped,
        "compared": ids,
        "dead_lettered": dead,
        "lost": sampled - dropped - ids - dead,
        "duplicated": judged - ids,
    }


def _samples_in(record: Record) -> int:
    """A parked record counts as the samples that can be read in it, or as one."""
    try:
        return len(record_codec.decode_samples(record.value))
    except WireError:
        return 1
