"""Three brokers of Apache Kafka on this machine as one cluster: records are replicated to all of them, and
accepted while two of them are up.
"""

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from tightrope.demo.broker import java_command
from tightrope.service.adapters.topics import SAMPLES, topic

START_SECONDS = 240.0
"""Time limit for three Java virtual machines to start on a busy machine."""

PROPERTIES = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
min.insync.replicas=2
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
replica.lag.time.max.ms=4000
num.network.threads=2
num.io.threads=2
num.replica.fetchers=1
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=4
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
"""
"""Timeouts for dead nodes are a few seconds, so that tests need not wait long."""


class BrokerNode:
    """One broker; it keeps its folder and its ports when it is killed and started again."""

    def __init__(self, folder: Path, node: int, port: int, controller: int, voters: str) -> None:
        folder.mkdir()
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._log = folder / "kafka.log"
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        self._settings.write_text(
            PROPERTIES.format(node=node, port=port, controller=controller, voters=voters, folder=folder)
        )
        identity = ("-t", "tightropetightropeAAAA", "-c", str(self._settings))
        self.formatting = self._java("kafka.tools.StorageTool", "format", *identity)

    def start(self) -> None:
        """Start it unless it runs; `ThreeBrokers.wait` waits until it takes part."""
        if self._process is None:
            self._process = self._java("kafka.Kafka", str(self._settings))

    def kill(self) -> None:
        """Kill it as the out-of-memory killer would."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(START_SECONDS)

    @property
    def answers(self) -> bool:
        """Whether it accepts connections."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.5):
            return True
        return False

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as file:
            return subprocess.Popen(java_command(*arguments), stdout=file, stderr=file, stdin=subprocess.DEVNULL)


class ThreeBrokers:
    """Three nodes. ``address`` lists them, separated by commas."""

    def __init__(self, folder: Path) -> None:
        ports = _free_ports(6)
        voters = ",".join(f"{node}@127.0.0.1:{ports[node + 2]}" for node in (1, 2, 3))
        self.nodes = {
            node: BrokerNode(folder / str(node), node, ports[node - 1], ports[node + 2], voters) for node in (1, 2, 3)
        }
        self.address = ",".join(node.address for node in self.nodes.values())
        assert not any(node.formatting.wait(START_SECONDS) for node in self.nodes.values())

    def start(self) -> None:
        """Start all nodes, and wait."""
        for node in self.nodes.values():
            node.start()
        self.wait()

    def wait(self) -> None:
        """Wait until all nodes take part."""
        deadline = time.monotonic() + START_SECONDS
        while self._taking_part() < len(self.nodes):
            assert time.monotonic() < deadline, "the brokers did not start"
            time.sleep(0.1)

    def _taking_part(self) -> int:
        if len(self._alive) == len(self.nodes):
            with suppress(KafkaError), closing(KafkaAdminClient(bootstrap_servers=self._alive)) as admin:
                return sum(not broker["is_fenced"] for broker in admin.describe_cluster()["brokers"])
        return 0

    def leader(self, prefix: str) -> int:
        """The node that leads the first partition of a cluster's samples; -1 without a leader, or if it is unknown."""
        return int(self._samples(prefix)["leader_id"])

    def copies(self, prefix: str) -> int:
        """The number of in-sync replicas of that partition; 0 if it is unknown."""
        return len(self._samples(prefix)["isr_nodes"])

    def _samples(self, prefix: str) -> dict[str, Any]:
        with suppress(KafkaError), closing(KafkaAdminClient(bootstrap_servers=self._alive)) as admin:
            (description,) = admin.describe_topics([prefix + topic(SAMPLES)])
            return next(p for p in description["partitions"] if p["partition_index"] == 0)
        return {"leader_id": -1, "isr_nodes": []}

    def require_copies(self, prefix: str, copies: int) -> None:
        """Make the samples topic accept records only with ``copies`` in-sync replicas."""
        change = ConfigResource(ConfigResourceType.TOPIC, prefix + topic(SAMPLES), {"min.insync.replicas": copies})
        with closing(KafkaAdminClient(bootstrap_servers=self._alive)) as admin:
            admin.alter_configs([change])

    @property
    def _alive(self) -> list[str]:
        return [node.address for node in self.nodes.values() if node.answers]

    def close(self) -> None:
        """Kill all nodes."""
        for node in self.nodes.values():
            node.kill()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def three_brokers(folder: Path) -> Iterator[ThreeBrokers]:
    """Three running brokers."""
    brokers = ThreeBrokers(folder)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.close()
