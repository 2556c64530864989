"""A real Apache Kafka (KRaft, one node) on this machine, from the jars that `make kafka` fetched.

`python -m tightrope.demo.broker COMMAND ARGUMENT...` runs a command while it is up; `{kafka}` in an argument becomes
its address.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tightrope.service.errors import TightropeError

VERSION = "4.1.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
JARS = Path(os.environ.get("KAFKA_JARS") or CACHE / "tightrope" / f"kafka-{VERSION}")
START_SECONDS = 180.0

JVM = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={told}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


class Door(NamedTuple):
    """One more way in: the protocol spoken there, what the broker must know for it, and the address that clients are
    told, where that is not its own.
    """

    protocol: str
    settings: Mapping[str, str]
    told: str = ""


NO_DOORS: Mapping[str, Door] = MappingProxyType({})


class BrokerError(TightropeError):
    """No broker can be started here."""


def why_not() -> str | None:
    """Why no broker can be started on this machine, if that is so."""
    if shutil.which("java") is None:
        return "there is no java: Apache Kafka needs Java 17 or newer"
    if not list(JARS.glob("kafka_*.jar")):
        return f"Apache Kafka is not in {JARS}: `make kafka` fetches it"
    return None


class Broker:
    """One broker with its folder and its ports, which it keeps however often it is killed and started: ``address`` for
    everybody, ``doors`` the addresses of those that were asked for by name; ``more`` are arguments to format its disk.
    """

    def __init__(self, folder: Path, doors: Mapping[str, Door] = NO_DOORS, more: Sequence[str] = ()) -> None:
        self._folder = folder
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        controller, self._port, *ports = _free_ports(2 + len(doors))
        self.address = f"127.0.0.1:{self._port}"
        self.doors = {name: f"127.0.0.1:{port}" for name, port in zip(doors, ports, strict=True)}
        self._settings.write_text(self._properties(doors, controller))
        self._java(
            "kafka.tools.StorageTool", "format", "-t", "tightropetightropeAAAA", "-c", str(self._settings), *more
        ).wait()

    def _properties(self, doors: Mapping[str, Door], controller: int) -> str:
        all_doors = {"PLAINTEXT": Door("PLAINTEXT", {}), **doors}
        addresses = {"PLAINTEXT": self.address, **self.doors}
        of_doors = (
            f"listener.name.{name.lower()}.{key}={value}\n"
            for name, door in doors.items()
            for key, value in door.settings.items()
        )
        return "".join(of_doors) + PROPERTIES.format(
            folder=self._folder,
            controller=controller,
            listeners=",".join(f"{name}://{address}" for name, address in addresses.items()),
            told=",".join(f"{name}://{all_doors[name].told or address}" for name, address in addresses.items()),
            protocols=",".join(f"{name}:{door.protocol}" for name, door in all_doors.items()),
        )

    def start(self) -> None:
        """Start it, and wait until it takes connections.

        Raises:
            BrokerError: with the end of its log, when it does not.
        """
        self._process = self._java("kafka.Kafka", str(self._settings))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerError(f"Apache Kafka did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal, and wait until it is gone."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(START_SECONDS)

    def signal(self, number: int) -> None:
        """Send a signal, and go on."""
        if self._process is not None:
            self._process.send_signal(number)

    @property
    def _log(self) -> Path:
        return self._folder / "kafka.log"

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as file:
            command = ["java", *JVM, "-cp", f"{JARS}/*", *arguments]
            return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.5):
            return True
        return False


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def broker(doors: Mapping[str, Door] = NO_DOORS) -> Iterator[Broker]:
    """A broker that runs until the block ends, and leaves nothing behind.

    Raises:
        BrokerError: when there can be none here.
    """
    missing = why_not()
    if missing:
        raise BrokerError(missing)
    with tempfile.TemporaryDirectory(prefix="tightrope-kafka-", ignore_cleanup_errors=True) as folder:
        running = Broker(Path(folder), doors)
        try:
            running.start()
            yield running
        finally:
            running.stop(signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run a command beside a broker; its exit code."""
    try:
        with broker() as running:
            return subprocess.run(
                [part.replace("{kafka}", running.address) for part in command], check=False
            ).returncode
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
