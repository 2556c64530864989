"""A cluster on a broker with an authorizer: each process has a user of its own, with the permissions of the table."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.cluster.acl_broker import PASSWORD, Administrator, acl_broker, client_of, settings_of
from tests.support.cluster.cluster import Cluster, cluster_on, wait_until
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import (
    GATEWAY_PROCESS,
    JUDGE_PROCESS,
    PAYLOAD_GATEWAY_PROCESS,
    PERMISSIONS,
    WORKER_PROCESS,
    Permission,
    denial_text,
)
from tightrope.service.adapters.topics import topic
from tightrope.service.config.loader import Settings
from tightrope.service.config.models import PayloadsSection
from tightrope.wiring import cluster as gateways
from tightrope.wiring import shadow_processes
from tightrope.wiring.cluster import ClusterProcess
from tightrope.wiring.topics import ensure_topics, kafka_options


def payload_gateway(settings: Settings) -> ClusterProcess:
    """A gateway whose model takes payload events."""
    model = settings.models["m"].model_copy(update={"payloads": PayloadsSection()})
    return gateways.gateway(settings.model_copy(update={"models": {"m": model}}))


BUILDERS: dict[str, Callable[[Settings], ClusterProcess]] = {
    GATEWAY_PROCESS: gateways.gateway,
    PAYLOAD_GATEWAY_PROCESS: payload_gateway,
    WORKER_PROCESS: shadow_processes.worker,
    JUDGE_PROCESS: shadow_processes.judge,
}


def user_of(process: str) -> str:
    """The user of a process: all gateways have the same."""
    return process.removeprefix("payload-")


@dataclass
class Fleet:
    """A cluster whose processes have users of their own, each with the permissions of the table."""

    cluster: Cluster
    administrator: Administrator

    def options(self, user: str) -> KafkaOptions:
        """The options of a user."""
        return kafka_options(self.settings(user))

    def settings(self, user: str) -> Settings:
        """The configuration of a user."""
        return settings_of(self.cluster.settings, user)

    def start(self, process: str) -> ClusterProcess:
        """Start a process in this one."""
        return self.cluster.start(lambda _: BUILDERS[process](self.settings(user_of(process))))

    @contextmanager
    def bus(self, user: str, lost: Callable[[str, bytes, str], None] = lambda *_: None) -> Iterator[KafkaBus]:
        """A bus as a gateway has it."""
        bus = KafkaBus(self.options(user), lost, strict=False)
        try:
            yield bus
        finally:
            bus.close(1.0)

    def publish(self, user: str, name: str, key: str | None = None) -> None:
        """Write a record that no process reads."""
        with self.bus(user) as bus:
            bus.publish(topic(name), b"nothing", key)
            bus.flush(10.0)

    @contextmanager
    def without(self, user: str, *permissions: Permission) -> Iterator[str]:
        """Take permissions from a user until the block ends; yields the line that must say so."""
        self.administrator.revoke(self.options(user), permissions)
        try:
            yield denial_text(self.options(user), permissions)
        finally:
            self.administrator.grant(self.options(user), permissions)

    def stop_all(self) -> None:
        """Stop all processes."""
        while self.cluster.parts:
            self.cluster.stop(self.cluster.parts[-1])


@contextmanager
def fleet_of_users(broker_folder: Path, folder: Path) -> Iterator[Fleet]:
    """A fleet with its topics on a new broker. Tests look at the topics as the user of `tightrope tail`."""
    (folder / "password").write_text(PASSWORD)
    bus = {"password_file": "password", "client": client_of("tail")}
    with (
        acl_broker(broker_folder) as broker,
        cluster_on(folder, broker.listeners["SASL"], bus=bus, blind_seconds=2.0) as cluster,
        closing(Administrator(broker)) as administrator,
    ):
        made = Fleet(cluster, administrator)
        for process in PERMISSIONS.keys() - {"autoscaler"}:
            made.administrator.grant(made.options(user_of(process)), PERMISSIONS[process])
        wait_until(lambda: ensure_topics(made.settings("topics"), check=False).differences == [])
        yield made
