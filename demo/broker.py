"""A local Apache Kafka broker (KRaft, one node), run from the jars that `make kafka` downloads.

`python -m tightrope.demo.broker COMMAND ARGUMENT...` runs a command next to a broker; `{kafka}` in an argument is
replaced by its address. Without a command it writes the archive of classes, with which later brokers start sooner.
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

KAFKA_VERSION = "4.1.1"
CACHE_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
JARS = Path(os.environ.get("KAFKA_JARS") or CACHE_FOLDER / "tightrope" / f"kafka-{KAFKA_VERSION}")
BROKER_START_SECONDS = 180.0

ARCHIVE = JARS / "classes.jsa"
"""Kafka's classes as Java holds them in memory: a broker starts with two thirds of the work. Java checks whether it
fits its version and the jars, and ignores it otherwise.
"""

JVM_OPTIONS = (
    "-Xmx768m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

SERVER_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
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


class Listener(NamedTuple):
    """An additional listener of the broker: its security protocol, the settings that it needs, and the address that is
    advertised to clients, if not its own.
    """

    protocol: str
    settings: Mapping[str, str]
    advertised: str = ""


NO_LISTENERS: Mapping[str, Listener] = MappingProxyType({})
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class BrokerError(TightropeError):
    """A broker cannot be started on this machine."""


def why_unavailable() -> str | None:
    """The reason why a broker cannot be started on this machine; None if it can."""
    if shutil.which("java") is None:
        return "java is not installed: Apache Kafka needs Java 17 or newer"
    if not list(JARS.glob("kafka_*.jar")):
        return f"Apache Kafka is not in {JARS}: run `make kafka`"
    return None


class Broker:
    """A broker whose folder and ports stay the same over restarts: ``address`` is plaintext, ``listeners`` has the
    addresses of the additional listeners by name. ``format_options`` are passed to the formatting of its disk;
    ``settings`` are further properties of the broker, ``java_options`` further options of Java.
    """

    def __init__(
        self,
        folder: Path,
        listeners: Mapping[str, Listener] = NO_LISTENERS,
        format_options: Sequence[str] = (),
        settings: Mapping[str, str] = NO_SETTINGS,
        java_options: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        self._java_options = java_options
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        controller, self._port, *ports = _free_ports(2 + len(listeners))
        self.address = f"127.0.0.1:{self._port}"
        self.listeners = {name: f"127.0.0.1:{port}" for name, port in zip(listeners, ports, strict=True)}
        further = "".join(f"{key}={value}\n" for key, value in settings.items())
        self._settings.write_text(self._properties(listeners, controller) + further)
        self._java(
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "tightropetightropeAAAA",
            "-c",
            str(self._settings),
            *format_options,
        ).wait()

    def _properties(self, listeners: Mapping[str, Listener], controller: int) -> str:
        every = {"PLAINTEXT": Listener("PLAINTEXT", {}), **listeners}
        addresses = {"PLAINTEXT": self.address, **self.listeners}
        settings = (
            f"listener.name.{name.lower()}.{key}={value}\n"
            for name, listener in listeners.items()
            for key, value in listener.settings.items()
        )
        return "".join(settings) + SERVER_PROPERTIES.format(
            folder=self._folder,
            controller=controller,
            listeners=",".join(f"{name}://{address}" for name, address in addresses.items()),
            advertised=",".join(f"{name}://{every[name].advertised or address}" for name, address in addresses.items()),
            protocols=",".join(f"{name}:{listener.protocol}" for name, listener in every.items()),
        )

    def start(self) -> None:
        """Start the broker, and wait until it accepts connections.

        Raises:
            BrokerError: when it does not start; the message has the end of its log.
        """
        self._process = self._java("kafka.Kafka", str(self._settings))
        deadline = time.monotonic() + BROKER_START_SECONDS
        while not self._accepts_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BrokerError(f"Apache Kafka did not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal, and wait for the end of the process."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(BROKER_START_SECONDS)

    def signal(self, number: int) -> None:
        """Send a signal without waiting."""
        if self._process is not None:
            self._process.send_signal(number)

    @property
    def _log(self) -> Path:
        return self._folder / "kafka.log"

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as file:
            command = java_command(*self._java_options, *arguments)
            return subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def _accepts_connections(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 0.5):
            return True
        return False


def java_command(*arguments: str) -> list[str]:
    """The command that runs a class of Kafka; ``arguments`` are options of Java, the class, and its arguments."""
    shared = [f"-XX:SharedArchiveFile={ARCHIVE}"] if ARCHIVE.exists() else []
    return ["java", *JVM_OPTIONS, *shared, "-cp", f"{JARS}/*", *arguments]


def write_archive() -> None:
    """Start a broker and stop it, and keep the classes that it has loaded.

    Raises:
        BrokerError: when it cannot be written.
    """
    if reason := why_unavailable():
        raise BrokerError(reason)
    ARCHIVE.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="tightrope-kafka-", dir=JARS) as folder:
        made = Path(folder) / ARCHIVE.name
        running = Broker(Path(folder), java_options=[f"-XX:ArchiveClassesAtExit={made}"])
        try:
            running.start()
        finally:
            running.stop()
        if not made.exists():
            raise BrokerError(f"Java wrote no archive of Kafka's classes: {(Path(folder) / 'kafka.log').read_text()}")
        made.replace(ARCHIVE)


def _free_ports(count: int) -> list[int]:
    """Find free TCP ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@contextmanager
def broker(listeners: Mapping[str, Listener] = NO_LISTENERS) -> Iterator[Broker]:
    """Run a broker in a temporary folder until the block ends.

    Raises:
        BrokerError: when a requirement is missing or the broker does not start.
    """
    reason = why_unavailable()
    if reason:
        raise BrokerError(reason)
    with tempfile.TemporaryDirectory(prefix="tightrope-kafka-", ignore_cleanup_errors=True) as folder:
        running = Broker(Path(folder), listeners)
        try:
            running.start()
            yield running
        finally:
            running.stop(signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run a command next to a broker; returns its exit code."""
    try:
        if not command:
            write_archive()
            return 0
        with broker() as running:
            return subprocess.run(
                [part.replace("{kafka}", running.address) for part in command], check=False
            ).returncode
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
