"""Two gateways, a worker and a judge under load, whose members are replaced one after another."""

import copy
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cluster.cluster import Cluster, wait_until
from tests.support.configs import write_config
from tests.support.harmful_pair import COMPRESSED, config
from tests.support.members.ledger import Balance, balance
from tests.support.members.member import Member
from tests.support.members.releases import Release, limits_of_first_release
from tests.support.members.traffic import SentRequest, Traffic
from tests.support.onnx_models import classifier

MODELS = ("before", "first", "second", "third")
"""The models by the time at which they become harmful: before the first step, or as one of the steps begins."""

BLIND_SECONDS = 8.0
LIMIT_SECONDS = 2 * BLIND_SECONDS
"""The longest time for which a harmful model may answer: `safe_mode.silent_seconds`."""

REQUESTS_PER_SECOND = 20.0
"""The load of each model."""

QUIET_SECONDS = 2.5
"""Time without a harmful answer after which a model counts as guarded."""

BACKLOG_SECONDS = 10.0
"""The most time that a row waits for a worker."""


@dataclass(frozen=True, slots=True)
class Version:
    """A release and the configuration that its members run."""

    release: Release
    config: Path


class FleetConfigs:
    """Configurations of one cluster that differ in the compressed file alone; ``bus`` has further Kafka settings."""

    def __init__(self, folder: Path, address: str, **bus: object) -> None:
        self._folder = folder
        kafka = {"servers": [address], "replication": 1, "prefix": f"{uuid.uuid4().hex[:8]}-", "partitions": 2}
        self._bus = {"kafka": {**kafka, "session_seconds": 6, "bootstrap_seconds": 20, **bus}}

    def write(self, name: str, scale: float = 1.0, *, for_first_release: bool = False) -> Path:
        """Write a configuration whose compressed model has its weights multiplied by ``scale``."""
        folder = self._folder / name
        folder.mkdir()
        whole = config(folder)
        classifier(folder / "compressed.onnx", COMPRESSED * scale)
        model = limits_of_first_release(whole["models"]["m"]) if for_first_release else whole["models"]["m"]
        whole["models"] = {each: copy.deepcopy(model) for each in MODELS}
        whole["safe_mode"] = {"blind_seconds": BLIND_SECONDS, "min_dwell_seconds": 1, "recovery_samples": 10}
        return write_config(folder, whole | {"bus": self._bus})


@dataclass
class Fleet:
    """The members, and the traffic that they get."""

    folder: Path
    version: Version
    gateways: list[Member] = field(default_factory=list)
    worker: Member = field(init=False)
    judge: Member = field(init=False)
    traffic: Traffic = field(default_factory=lambda: Traffic(MODELS, REQUESTS_PER_SECOND))
    configs: dict[str, Path] = field(default_factory=dict)
    worker_replaced: float = float("inf")
    _members: list[Member] = field(default_factory=list)

    def start(self) -> None:
        """Make the topics and start all members; returns once the gateways have the modes."""
        Cluster(self.version.config).make_topics()
        self.judge = self.launch("judge", self.version)
        self.worker = self.launch("worker", self.version)
        self.gateways = [self.launch("serve", self.version) for _ in range(2)]
        for member in self._members:
            member.wait_ready()
        self.configs = {gateway.address: self.version.config for gateway in self.gateways}
        self.set_rotation()

    def launch(self, command: str, version: Version) -> Member:
        """Start one member, which is killed at the end."""
        member = Member(command, version.release, version.config, self.folder / f"{command}-{len(self._members)}.log")
        self._members.append(member)
        return member

    def set_rotation(self, *without: Member) -> None:
        """Send requests to all gateways but some."""
        self.traffic.rotation = tuple(g.address for g in self.gateways if g not in without)

    def replace(self, part: str, version: Version) -> None:
        """Replace the members of a part as an orchestrator does: no request goes to a gateway that is about to end."""
        if part == "gateways":
            for index in range(len(self.gateways)):
                self._replace_gateway(index, version)
            return
        if part == "worker":
            self.worker_replaced = min(self.worker_replaced, time.monotonic())
        old = self.worker if part == "worker" else self.judge
        assert old.stop() == 0, f"the {part} did not end well: {old.log.read_text()[-2000:]}"
        new = self.launch(part, version)
        new.wait_ready()
        setattr(self, part, new)

    def _replace_gateway(self, index: int, version: Version) -> None:
        old = self.gateways[index]
        self.set_rotation(old)
        assert old.stop() == 0, f"a gateway did not end well: {old.log.read_text()[-2000:]}"
        new = self.launch("serve", version)
        new.wait_ready()
        self.configs[new.address] = version.config
        self.gateways[index] = new
        self.set_rotation()

    def wait_judged(self) -> None:
        """Wait until the compressed models answer healthy rows at every gateway: their rows are judged."""
        begin, healthy = time.monotonic(), len(MODELS) - len(self.traffic.harm)

        def served() -> bool:
            answers = [r for r in self.traffic.requests if r.sent > begin and r.served_by == "compressed"]
            return len({(r.model, r.gateway) for r in answers if not r.harmful}) >= healthy * len(self.gateways)

        wait_until(served)

    def wait_guarded(self, model: str) -> None:
        """Wait until a harmful model has not answered for a while, or has answered for far too long."""
        begin, give_up = time.monotonic(), time.monotonic() + 2 * LIMIT_SECONDS
        while time.monotonic() < give_up:
            now = time.monotonic()
            recent = self.traffic.answers(model, max(begin, now - QUIET_SECONDS))
            if now - begin > QUIET_SECONDS and recent and all(r.served_by == "baseline" for r in recent):
                return
            time.sleep(0.1)

    def balance(self) -> Balance:
        """The balance of all requests. A row counts as stale if a worker of another artefact may have had it."""
        return balance(self.version.config, self.traffic, self._is_stale)

    def _is_stale(self, request: SentRequest) -> bool:
        if len({*self.configs.values()}) == 1:
            return False
        if self.configs[request.gateway] == self.version.config:
            return request.sent > self.worker_replaced - BACKLOG_SECONDS
        return request.sent < self.worker_replaced + BACKLOG_SECONDS

    def end(self) -> None:
        """Kill all members that still run."""
        for member in self._members:
            member.kill()


@contextmanager
def fleet_of(folder: Path, version: Version, per_second: float = REQUESTS_PER_SECOND) -> Iterator[Fleet]:
    """A fleet that serves healthy traffic by its compressed models; its members are killed at the end."""
    fleet = Fleet(folder, version, traffic=Traffic(MODELS, per_second))
    try:
        fleet.start()
        with fleet.traffic.running():
            fleet.wait_judged()
            yield fleet
    finally:
        fleet.end()


def upgraded(folder: Path, order: tuple[str, ...], old: Version, new: Version) -> Balance:
    """The balance of a rolling upgrade in this order of parts, in which one more model becomes harmful as each step
    begins; one is harmful before.
    """

    def step(model: str, act: Callable[[], None]) -> None:
        fleet.traffic.begin_harm(model)
        act()
        fleet.wait_guarded(model)

    with fleet_of(folder, old) as fleet:
        step(MODELS[0], lambda: None)
        for model, part in zip(MODELS[1:], order, strict=True):
            step(model, lambda part=part: fleet.replace(part, new))  # type: ignore[misc]
        time.sleep(QUIET_SECONDS)
        fleet.traffic.stop()
        return fleet.balance()
