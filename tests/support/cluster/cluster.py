"""A cluster on a real broker: its parts run in this process or as processes of their own, and a ledger follows every
sample by its id.
"""

import asyncio
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

from tests.support.cluster.left_sockets import left_sockets
from tests.support.commands import command, environment
from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import Rows, config
from tests.support.in_process import infer_request
from tightrope.monitors.plan import State
from tightrope.monitors.records import Comparisons, Stream
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.snapshot_store import decode_snapshot
from tightrope.service.adapters.ports import BusUnavailableError, Record
from tightrope.service.adapters.topics import COMPARISONS, DEAD, SAMPLES, SNAPSHOTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.config.loader import Settings, load
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.protocol.rest import InferResponse
from tightrope.wiring import cluster
from tightrope.wiring.cluster import ClusterProcess
from tightrope.wiring.topics import ensure_topics, kafka_options

TIMEOUT_SECONDS = 120.0


def wait_until(condition: Callable[[], bool], timeout: float = TIMEOUT_SECONDS) -> None:
    """Wait for a condition that must become true."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.02)


def write_cluster_config(
    folder: Path, address: str, bus: Mapping[str, object] | None = None, blind_seconds: float = 600.0, **model: object
) -> Path:
    """Write the configuration of a cluster of the model m; ``bus`` has further Kafka settings. A busy machine may take
    more than a minute to replace a judge, which only tests of blindness want to be noticed.
    """
    whole = config(folder, **model)
    whole["safe_mode"]["blind_seconds"] = blind_seconds
    return write_config_on(address, folder, whole, bus)


def write_config_on(
    address: str, folder: Path, whole: Mapping[str, object], bus: Mapping[str, object] | None = None
) -> Path:
    """Write a configuration on a cluster with its own topics, replicated to every broker of the address."""
    servers = address.split(",")
    names = {"servers": servers, "replication": len(servers), "prefix": f"{uuid.uuid4().hex[:8]}-"}
    kafka = {**names, "partitions": 2, "session_seconds": 6, "bootstrap_seconds": 0, **(bus or {})}
    return write_config(folder, {**whole, "bus": {"kafka": kafka}})


def get_page(app: Any, path: str, method: str = "GET", token: str | None = None) -> httpx.Response:  # noqa: ANN401 - any ASGI application
    """The response of an ASGI application, without a socket, to a caller with this ``token``."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://part") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(get())


@dataclass
class Cluster:
    """One configuration on one broker. Parts that run in this process are stopped with it."""

    path: Path
    settings: Settings = field(init=False)
    parts: list[ClusterProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = load(self.path, {})

    @property
    def prefix(self) -> str:
        """The prefix of its topics and groups."""
        return kafka_options(self.settings).prefix

    def make_topics(self) -> None:
        """Create the topics as `tightrope topics` does, and wait until all brokers know them."""
        wait_until(lambda: ensure_topics(self.settings, check=False).differences == [])

    def start(self, wire_up: Callable[[Settings], ClusterProcess]) -> ClusterProcess:
        """Start a part in this process."""
        part = wire_up(self.settings)
        part.start()
        self.parts.append(part)
        return part

    def stop(self, part: ClusterProcess) -> None:
        """Stop a part in this process."""
        self.parts.remove(part)
        part.stop()

    def gateway(self) -> "ClusterGateway":
        """A gateway in this process, called without HTTP."""
        return ClusterGateway(self.start(cluster.gateway))

    @contextmanager
    def process(self, name: str) -> Iterator[subprocess.Popen[str]]:
        """A part as a process of its own that listens; killed at the end."""
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
        """A bus on its topics."""
        bus = KafkaBus(kafka_options(self.settings))
        try:
            yield bus
        finally:
            bus.close(5.0)

    def records(self, name: str) -> list[Record]:
        """All records of a topic so far. While a broker is down, wait for another one."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            try:
                return self._read(name)
            except BusUnavailableError:
                assert time.monotonic() < deadline, "Kafka did not come back"

    def _read(self, name: str) -> list[Record]:
        with self.bus() as bus:
            reader = bus.subscribe(topic(name))
            records: list[Record] = []
            expected = reader.lag()
            while len(records) < expected and reader.lag():  # a compacted topic has fewer records than offsets
                records += reader.poll(1000, 1.0)
            reader.close()
        return records

    def assigned_partitions(self, group: str) -> list[int]:
        """The number of partitions of each member of a group; empty while the brokers do not know."""
        members: list[Any] = []
        name = self.prefix + group
        with (
            suppress(KafkaError),
            closing(KafkaAdminClient(bootstrap_servers=kafka_options(self.settings).servers)) as admin,
        ):
            members = admin.describe_groups([name])[name]["members"]
        assigned = [member["member_assignment"] for member in members]
        return [
            sum(len(topic_["partitions"]) for topic_ in each["assigned_partitions"]) if each else 0 for each in assigned
        ]

    def samples(self) -> Counter[str]:
        """The number of occurrences of each id in the samples topic."""
        readable = (record.value for record in self.records(SAMPLES))
        return Counter(name for value in readable for name in record_codec.decode_samples(value).request_id)

    def batches(self) -> list[Comparisons]:
        """Every batch of comparisons."""
        values = [
            r.value
            for r in self.records(COMPARISONS)
            if record_codec.schema_of(r.value) == record_codec.COMPARISONS_SCHEMA
        ]
        return [record_codec.decode_comparisons(value) for value in values]

    def compared(self) -> set[str]:
        """The ids that were compared, once or more often."""
        return {name for batch in self.batches() for name in batch.request_id}

    def dead(self) -> list[str]:
        """The reasons of parked records."""
        return [str(record.key) for record in self.records(DEAD)]

    def state(self) -> State | None:
        """The latest state that the judges wrote."""
        records = self.records(SNAPSHOTS)
        return record_codec.decode_state(decode_snapshot(records[-1].value).state) if records else None

    def judged(self) -> int:
        """The number of judged rows; a row counted twice counts twice."""
        state = self.state()
        if state is None:
            return 0
        pending = state.pending.get(Stream.COMPARISONS)
        return state.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending))

    def ledger(self, gateway: "ClusterGateway") -> dict[str, int]:
        """The counts of samples at each step, once the judges have judged as many as the gateway kept."""
        wait_until(lambda: self.judged() >= gateway.kept)
        write_cluster_config, compared = self.samples(), self.compared()
        return {
            "kept": gateway.kept,
            "written": len(write_cluster_config),
            "written_twice": sum(write_cluster_config.values()) - len(write_cluster_config),
            "lost": len(set(gateway.ids) - compared),
            "judged": self.judged(),
        }


class ClusterGateway:
    """A gateway in this process, and the ids of its requests."""

    def __init__(self, part: ClusterProcess) -> None:
        self.gateway: InferenceEngine = part.app.responder.engine  # type: ignore[attr-defined]
        self.app: Any = part.app
        self.part = part
        self.ids: list[str] = []
        self.slowest = 0.0

    @property
    def kept(self) -> int:
        """The number of samples that it kept."""
        return self.gateway.metrics.total("samples", model="m")

    def ask(self, rows: Rows) -> list[InferResponse]:
        """Send one request a row."""
        return [self._one(row) for row in rows]

    def _one(self, row: Rows) -> InferResponse:
        began = time.perf_counter()
        answer = self.gateway.infer(self.gateway.pair("m"), infer_request(row[None]))
        self.slowest = max(self.slowest, time.perf_counter() - began)
        self.ids.append(str(answer.id))
        return answer

    @property
    def has_modes(self) -> bool:
        """Whether it has read the modes, and heard a judge since it started."""
        return self.gateway.router.routes("m").epoch >= 0 and not self.gateway.router.blindness("m")


@contextmanager
def cluster_on(folder: Path, address: str, **settings: Any) -> Iterator[Cluster]:  # noqa: ANN401 - see `write_cluster_config`
    """A cluster of the model m without parts, as `cluster_of` is."""
    with cluster_of(write_cluster_config(folder, address, **settings)) as cluster_:
        yield cluster_


@contextmanager
def cluster_of(path: Path) -> Iterator[Cluster]:
    """A cluster without parts; parts started in this process are stopped at the end, the last one first. The Kafka
    client logs nothing, as in the commands; the sockets that it leaks, where it is refused or its broker ends, are
    collected here, not in another test.
    """
    cluster_ = Cluster(path)
    client = logging.getLogger("kafka")
    level = client.level
    client.setLevel("CRITICAL")
    with left_sockets(kafka_options(cluster_.settings).servers):
        try:
            yield cluster_
        finally:
            for part in reversed(cluster_.parts):
                part.stop()
            client.setLevel(level)
