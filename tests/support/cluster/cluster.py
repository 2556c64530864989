"""A cluster on a real broker for tests: its parts in this process or as processes of their own, and a ledger of every
sample by its id, from one end to the other.
"""

import asyncio
import gc
import json
import logging
import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.support.commands import command, environment
from tests.support.harmful_pair import Rows, config
from tests.support.in_process import question
from tests.support.servers import ROOT, write_config
from tightrope.monitors.plan import State
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.snapshot_store import decode
from tightrope.service.adapters.ports import BusAwayError, Record
from tightrope.service.adapters.topics import COMPARISONS, DEAD, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import Settings, load
from tightrope.service.inference.engine import Gateway
from tightrope.service.protocol.rest import InferResponse
from tightrope.wiring import cluster
from tightrope.wiring.cluster import Process
from tightrope.wiring.topics import options_of, topics

PATIENCE = 120.0


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for what must come."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def written(
    folder: Path, address: str, bus: Mapping[str, object] | None = None, blind_seconds: float = 60.0, **model: object
) -> Path:
    """The configuration of a cluster with topics of its own, copied to every broker of the address; ``bus`` has more
    of Kafka's settings.
    """
    servers = address.split(",")
    names = {"servers": servers, "replication": len(servers), "prefix": f"{uuid.uuid4().hex[:8]}-"}
    kafka = {**names, "partitions": 2, "session_seconds": 6, "bootstrap_seconds": 0, **(bus or {})}
    whole = config(folder, **model)
    whole["safe_mode"]["blind_seconds"] = blind_seconds
    return write_config(folder, whole | {"bus": {"kafka": kafka}})


def asked_of(app: Any, path: str) -> httpx.Response:  # noqa: ANN401 - any ASGI application
    """What an application answers to a GET, without a socket."""

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://part") as client:
            return await client.get(path)

    return asyncio.run(ask())


@dataclass
class Cluster:
    """One configuration on one broker. Parts that run here are stopped with it."""

    path: Path
    settings: Settings = field(init=False)
    parts: list[Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = load(self.path, {})

    @property
    def prefix(self) -> str:
        """Of its topics and groups."""
        return options_of(self.settings).prefix

    def make_topics(self) -> None:
        """As `tightrope topics` does; of several brokers one may hear of them a moment later."""
        until(lambda: topics(self.settings, check=False).differences == [])

    def start(self, wire_up: Callable[[Settings], Process]) -> Process:
        """A part in this process."""
        part = wire_up(self.settings)
        part.start()
        self.parts.append(part)
        return part

    def stop(self, part: Process) -> None:
        """As when it is told to."""
        self.parts.remove(part)
        part.stop()

    def gateway(self) -> "Asked":
        """A gateway, asked without HTTP."""
        return Asked(self.start(cluster.gateway))

    @contextmanager
    def process(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """A part as a process of its own, which listens already; killed at the end."""
        line = command(name, self.path, "--json")
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
            try:
                assert process.stdout is not None
                assert "address" in json.loads(process.stdout.readline())
                yield process
            finally:
                process.kill()

    @contextmanager
    def bus(self) -> Iterator[KafkaBus]:
        """Its log."""
        bus = KafkaBus(options_of(self.settings))
        try:
            yield bus
        finally:
            bus.close(5.0)

    def records(self, name: str) -> list[Record]:
        """All records of a topic that are there by now: more may come at any time. Where a broker is away, once there
        is another.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._read(name)
            except BusAwayError:
                assert time.monotonic() < deadline, "Kafka did not come back"

    def _read(self, name: str) -> list[Record]:
        with self.bus() as bus:
            reader = bus.subscribe(topic(name))
            found: list[Record] = []
            there = reader.lag()
            while len(found) < there and reader.lag():  # of a compacted topic there are fewer than its offsets say
                found += reader.poll(1000, 1.0)
            reader.close()
        return found

    def dealt(self, group: str) -> list[int]:
        """How many partitions each member of a group has; nobody any, where nobody can say yet."""
        members: list[Any] = []
        name = self.prefix + group
        with (
            suppress(KafkaError),
            closing(KafkaAdminClient(bootstrap_servers=options_of(self.settings).servers)) as admin,
        ):
            members = admin.describe_groups([name])[name]["members"]
        assigned = [member["member_assignment"] for member in members]
        return [sum(len(of["partitions"]) for of in each["assigned_partitions"]) if each else 0 for each in assigned]

    def samples(self) -> Counter[str]:
        """How often each id is in the samples' topic."""
        readable = (record.value for record in self.records(SAMPLES))
        return Counter(name for value in readable for name in record_codec.decode_samples(value).request_id)

    def batches(self) -> list[Comparisons]:
        """Every batch of comparisons."""
        values = [
            r.value for r in self.records(COMPARISONS) if record_codec.schema_of(r.value) == record_codec.COMPARISONS
        ]
        return [record_codec.decode_comparisons(value) for value in values]

    def compared(self) -> set[str]:
        """The ids that were compared, however often."""
        return {name for batch in self.batches() for name in batch.request_id}

    def dead(self) -> list[str]:
        """Why records were parked."""
        return [str(record.key) for record in self.records(DEAD)]

    def state(self) -> State | None:
        """The latest that the judges wrote down."""
        found = self.records(SNAPSHOTS)
        return record_codec.decode_state(decode(found[-1].value).state) if found else None

    def judged(self) -> int:
        """Rows that were judged, each as often as it was counted."""
        state = self.state()
        if state is None:
            return 0
        pending = state.pending.get(Stream.COMPARISONS)
        return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending))

    def ledger(self, asked: "Asked") -> dict[str, int]:
        """Where every sample went, once as many have been judged as the gateway kept."""
        until(lambda: self.judged() >= asked.kept)
        written, compared = self.samples(), self.compared()
        return {
            "kept": asked.kept,
            "written": len(written),
            "written_twice": sum(written.values()) - len(written),
            "lost": len(set(asked.ids) - compared),
            "judged": self.judged(),
        }


class Asked:
    """A gateway in this process, and the ids of what it was asked."""

    def __init__(self, part: Process) -> None:
        self.gateway: Gateway = part.app.responder.gateway  # type: ignore[attr-defined]
        self.app: Any = part.app
        self.part = part
        self.ids: list[str] = []
        self.slowest = 0.0

    @property
    def kept(self) -> int:
        """Samples that it kept."""
        return self.gateway.metrics.total("samples", model="m")

    def ask(self, rows: Rows) -> list[InferResponse]:
        """One request a row."""
        return [self._one(row) for row in rows]

    def _one(self, row: Rows) -> InferResponse:
        began = time.perf_counter()
        answer = self.gateway.infer(self.gateway.pair("m"), question(row[None]))
        self.slowest = max(self.slowest, time.perf_counter() - began)
        self.ids.append(str(answer.id))
        return answer

    @property
    def knows(self) -> bool:
        """Whether it has read the modes."""
        return self.gateway.router.routes("m").epoch >= 0


@contextmanager
def cluster_on(folder: Path, address: str, **settings: Any) -> Iterator[Cluster]:  # noqa: ANN401 - see `written`
    """A cluster without parts yet; those that are started here are stopped at the end, gateways first. The client is
    quiet, as the commands have it, and the sockets that it left open are swept here, and not in another test.
    """
    made = Cluster(written(folder, address, **settings))
    client = logging.getLogger("kafka")
    told = client.level
    client.setLevel("CRITICAL")
    try:
        yield made
    finally:
        for part in reversed(made.parts):
            part.stop()
        client.setLevel(told)
        gc.collect()
