"""The demo on a cluster: two gateways, two workers and a judge, each a process, over a real Kafka.

At the end every sample is accounted for from the topics themselves: it was dropped and counted, compared, or parked on
the dead-letter topic. Nothing is lost, and nothing is judged twice.
"""

import re
import secrets
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tightrope.demo.replay import DEMO_MODEL, ReplayAnswer, TrafficRow, replay, traffic
from tightrope.demo_run.board import DemoRun
from tightrope.demo_run.gateway_process import (
    HttpGateway,
    process_command,
    read_address,
    running_process,
    write_demo_config,
)
from tightrope.demo_run.story import REPLAY_SECONDS, ScopeTally, baseline_correct, story_result, trips
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.topics import COMPARISONS, DEAD, EVENTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.config.loader import load
from tightrope.service.errors import ServerError
from tightrope.wiring.audit_keys import audit_keys
from tightrope.wiring.topics import ensure_topics, kafka_options

GATEWAY_COUNT, WORKER_COUNT, JUDGE_COUNT = 2, 2, 1
CLUSTER_READY_SECONDS = 60.0
LEDGER_TIMEOUT_SECONDS = 60.0

LATE_DROP_REASONS = frozenset(("undeliverable", "too_large", "old_artefact"))
"""Reasons for dropping a sample after it was kept; with any other reason it was never kept."""


@dataclass(frozen=True, slots=True)
class DemoCluster:
    """A running cluster: its gateways, and a client of its Kafka."""

    gateways: Sequence[HttpGateway]
    bus: KafkaBus

    def records(self, name: str) -> Iterator[Record]:
        """Yield every record of a topic."""
        reader = self.bus.subscribe(topic(name))
        while reader.lag():
            yield from reader.poll(1000, 1.0)
        reader.close()


@contextmanager
def demo_cluster(folder: Path, kafka: str, model: str, sampling: float) -> Iterator[DemoCluster]:
    """Run the demo's cluster on topics of its own, with signed records, until the block ends."""
    secret = folder / "fleet.secret"
    secret.touch(mode=0o600)
    secret.write_text(secrets.token_hex(32))
    names = {"servers": [kafka], "prefix": f"demo-{time.time_ns():x}-", "partitions": 4}
    bus = {"kafka": {**names, "signing": {"secret_file": str(secret)}}}
    path, token = write_demo_config(folder, model, sampling, bus=bus)
    with start_cluster(path, token) as cluster:
        yield cluster


@contextmanager
def start_cluster(path: Path, token: str) -> Iterator[DemoCluster]:
    """Create a configuration's topics, start all processes, and stop them when the block ends.

    Raises:
        ServerError: when a process does not start, or is not ready in time.
    """
    settings = load(path)
    ensure_topics(settings, check=False)
    bus = KafkaBus(kafka_options(settings))
    verbs = ["judge"] * JUDGE_COUNT + ["worker"] * WORKER_COUNT + ["serve"] * GATEWAY_COUNT
    with ExitStack() as stack:
        stack.callback(bus.close, 1.0)
        processes = [stack.enter_context(running_process(process_command(verb, path))) for verb in verbs]
        members = [HttpGateway(read_address(process), token, audit_keys(settings)) for process in processes]
        for member in members:
            _wait_until_ready(member)
        yield DemoCluster(members[-GATEWAY_COUNT:], bus)


def _wait_until_ready(member: HttpGateway) -> None:
    """Wait until a process is ready, and a gateway has heard the judges, so that the modes say which model answers."""
    deadline = time.monotonic() + CLUSTER_READY_SECONDS
    while not (answer := member.get("/v2/health/ready"))["ready"] or answer.get("models"):
        if time.monotonic() > deadline:
            raise ServerError(f"{member.address} is not ready after {CLUSTER_READY_SECONDS:.0f} s")
        time.sleep(0.1)


def run_cluster_story(kafka: str, model: str, sampling: float, *, fast: bool) -> dict[str, object]:
    """Run the demo over the Kafka at ``kafka`` (host:port) and return its result as a JSON object."""
    began = time.monotonic()
    rows = traffic()
    with tempfile.TemporaryDirectory(prefix="tightrope-") as folder:
        with demo_cluster(Path(folder), kafka, model, sampling) as cluster:
            answers = _replay(cluster, rows, None if fast else len(rows) / REPLAY_SECONDS)
            status, counts = _wait_for_ledger(cluster)
            tripped = _wait_for_trips(cluster)
            delays = _switch_delays(cluster, answers)
        result = story_result(DemoRun(model, sampling, len(rows)), status, tripped, _tallies(rows, answers))
    return {
        **result,
        "ledger": counts,
        "switch_seconds": {
            "median": round(statistics.median(delays), 3) if delays else None,
            "max": round(max(delays), 3) if delays else None,
        },
        "seconds": round(time.monotonic() - began, 1),
    }


def _replay(cluster: DemoCluster, rows: list[TrafficRow], per_second: float | None) -> list[list[ReplayAnswer]]:
    """Send every n-th row to each of the n gateways, all gateways at once; return each gateway's answers."""
    count = len(cluster.gateways)

    def send_to(index: int) -> list[ReplayAnswer]:
        return list(replay(cluster.gateways[index].address, rows[index::count], per_second and per_second / count))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(send_to, range(count)))


def _tallies(rows: list[TrafficRow], answers: list[list[ReplayAnswer]]) -> dict[str, ScopeTally]:
    """Tally the answers of each scope in the order in which they arrived."""
    correct = {row.id: right for row, right in zip(rows, baseline_correct(rows), strict=True)}
    tallies = {scope: ScopeTally() for scope in (MODEL_SCOPE, *dict.fromkeys(s for row in rows for s in row.scopes))}
    for answer in sorted((answer for part in answers for answer in part), key=lambda answer: answer.time):
        for scope in (MODEL_SCOPE, *answer.row.scopes):
            tallies[scope].add(answer, baseline_correct=correct[answer.row.id])
    return tallies


def _switch_delays(cluster: DemoCluster, answers: list[list[ReplayAnswer]]) -> list[float]:
    """Return the seconds from each trip to the slowest gateway's first answer by the baseline."""
    delays = []
    for scope, since in _trips_in_topic(cluster):
        firsts = [first for part in answers if (first := _first_baseline(part, scope, since))]
        delays += [max(firsts) - since] if len(firsts) == len(answers) else []
    return delays


def _trips_in_topic(cluster: DemoCluster) -> list[tuple[str, float]]:
    """Return the scope and the time of each trip on the topic of events, which has it before its state is written."""
    events = ((record_codec.decode_event(record.value), record.time) for record in cluster.records(EVENTS))
    return [(event.scope, at) for event, at in events if event.kind == "breach" and event.detail["moved"]]


def _wait_for_trips(cluster: DemoCluster) -> list[dict[str, Any]]:
    """Wait until a gateway lists every trip, as it reads events apart from states; return its list."""
    count, deadline = len(_trips_in_topic(cluster)), time.monotonic() + LEDGER_TIMEOUT_SECONDS
    while len(found := trips(cluster.gateways[0])) < count and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _first_baseline(answers: list[ReplayAnswer], scope: str, since: float) -> float | None:
    """Return the time of a scope's first answer by the baseline from ``since`` on, in seconds since the epoch."""
    own = (answer for answer in answers if scope == MODEL_SCOPE or scope in answer.row.scopes)
    return next((answer.time for answer in own if answer.time >= since and answer.served_by == "baseline"), None)


def _wait_for_ledger(cluster: DemoCluster) -> tuple[dict[str, Any], dict[str, int]]:
    """Wait until every sample is judged, or until the timeout; return the model's status and the ledger."""
    deadline = time.monotonic() + LEDGER_TIMEOUT_SECONDS
    while True:
        status = cluster.gateways[0].get(f"/v1/models/{DEMO_MODEL}")
        counts = sum((_sample_counts(gateway) for gateway in cluster.gateways), Counter[str]())
        judged = status["judged"]["seen"] + status["judged"]["pending"]
        if judged >= counts["kept"] - counts["late"] or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    status["sampling"]["dropped"] = counts["never"] + counts["late"]
    return status, ledger(cluster, counts, judged)


def _sample_counts(gateway: HttpGateway) -> Counter[str]:
    """Return the samples that a gateway kept, never kept, and dropped late, from its metrics."""
    page = gateway.text("/metrics")
    kept = re.findall(r"^tightrope_samples_total\{.*\} (.*)$", page, re.MULTILINE)
    counts: Counter[str] = Counter(kept=int(sum(map(float, kept))))
    for reason, number in re.findall(r'^tightrope_samples_dropped_total\{.*reason="(.*)"\} (.*)$', page, re.MULTILINE):
        counts["late" if reason in LATE_DROP_REASONS else "never"] += int(float(number))
    return counts


def ledger(cluster: DemoCluster, counts: Counter[str], judged: int) -> dict[str, int]:
    """Account for every sample: sampled = dropped + compared + dead_lettered + lost."""
    compared = {
        (int(partition), int(offset), name)
        for record in cluster.records(COMPARISONS)
        if record_codec.schema_of(record.value) == record_codec.COMPARISONS_SCHEMA
        for rows in (record_codec.decode_comparisons(record.value),)
        for partition, offset, name in zip(rows.partition, rows.offset, rows.request_id, strict=True)
    }
    dead = sum(_samples_in(record) for record in cluster.records(DEAD))
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
    """Return the number of samples in a dead-lettered record; 1 if it cannot be read."""
    try:
        return len(record_codec.decode_samples(record.value))
    except WireError:
        return 1
