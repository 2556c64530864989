"""A judge over a memory bus and a state file, with traffic that leads to decisions: for tests of the shadow."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Flag

import numpy as np
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import SCOPES, RowSource, make_plan
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import Comparisons, Event, Order, Routes
from tightrope.monitors.safemode import Policy
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Bus, Store
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.topics import COMPARISONS, CONTROL, EVENTS, topic
from tightrope.service.adapters.wire import record_codec
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.judge import Judge
from tightrope.shadow.judgement_view import JudgementView
from tightrope.shadow.migration import FRESH

HOST = "a processor"
POLICY = Policy(min_dwell=100.0, recovery_samples=10.0)


def lenient(model: str = "m", *, armed: bool = True) -> Plan:
    """A plan with one monitor, generous limits, a small budget and small ticks: decisions come after tens of rows."""
    monitor = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.4, 0.1, 0.1, 0.1]))
    rules = build_rules([monitor], POLICY.recovery_ratio)
    return make_plan(samples=1e3, policy=POLICY, rules=rules, tick_rows=16, model=model, armed=armed)


def harm_and_recovery(traffic: RowSource, rows: int = 10) -> Iterator[Comparisons]:
    """Batches with rows of groups a and b in turn: sound, then harmful to group a only, then sound until its return."""
    for seed, share in enumerate([0.0] * 6 + [0.8] * 12 + [0.0] * 30):
        member = np.zeros((rows, len(SCOPES)), dtype=bool)
        member[::2, 0] = member[1::2, 1] = True
        harmed = member[:, 0] & (np.random.default_rng(seed).random(rows) < share)
        yield traffic.rows(rows, member=member, disagree=harmed)


@dataclass
class JudgeHarness:
    """The surroundings of a judge, with access to its results; ``routes`` collects the published modes."""

    folder: Path
    plans: Mapping[str, Plan] = field(default_factory=lambda: {"m": lenient()})
    bus: MemoryBus = field(default_factory=MemoryBus)
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))

    def __post_init__(self) -> None:
        self.store = self._open()
        self.view = JudgementView(self.plans)
        self.routes: list[Routes] = []
        self._orders = 0
        self._control = self.bus.subscribe(topic(CONTROL))

    def _open(self) -> SqliteStore:
        return SqliteStore(self.folder / "tightrope.db", keys=AuditKeys(bytes(32)))

    def reopen(self) -> None:
        """Open the state file again, as after a crash: what was put off is not written."""
        self.store._db.close()
        self.store = self._open()

    def write_put_off(self) -> None:
        """Write what the store puts off, for a look into its tables."""
        self.store._write_put_off(self.store._journal.models())

    def judge(self, bus: Bus | None = None, store: Store | None = None) -> Judge:
        """Start a judge on this bus and store, or on wrappers of them."""
        self.view = JudgementView(self.plans)
        return Judge(bus or self.bus, store or self.store, self.view, self.metrics, HOST, Flag())

    def publish(self, *batches: Comparisons) -> None:
        """Publish comparisons, one record each."""
        for batch in batches:
            self.bus.publish(topic(COMPARISONS), record_codec.encode_comparisons(batch), batch.model)

    def order(self, what: str, scope: str = "model", *, id_: str = "", model: str = "m", time: float = 0.0) -> None:
        """Publish an operator's order: o1, o2 and so on if it has no other name."""
        self._orders += 1
        id_ = id_ or f"o{self._orders}"
        given = Order(id_, time, model, scope, what, "ann", f"because of {id_}")
        self.bus.publish(topic(CONTROL), record_codec.encode_order(given), f"{model}/{scope}")

    def publish_event(self, event: Event) -> None:
        """Publish an event of a gateway."""
        self.bus.publish(topic(EVENTS), record_codec.encode_event(event))

    def drain(self, judge: Judge) -> int:
        """Step until no records are left, and collect the published modes; returns the number of records."""
        done = 0
        try:
            while records := judge.step(0):
                done += records
                self.collect_routes()
        finally:
            self.collect_routes()
        return done

    def collect_routes(self) -> None:
        """Add the modes published meanwhile to ``routes``; the topic itself keeps only the latest."""
        for record in self._control.poll(10_000, 0):
            with suppress(WireError):
                self.routes.append(record_codec.decode_routes(record.value))

    def saved_state(self, model: str = "m") -> State:
        """Decode the state on disk."""
        snapshot = self.store.snapshot(model)
        assert snapshot is not None
        return record_codec.decode_state(snapshot)

    def events(self, model: str | None = None) -> list[Event]:
        """Read the audit trail, without the events of fresh states that begin it."""
        return [event for _, event in self.numbered_events(model)]

    def numbered_events(self, model: str | None = None) -> list[tuple[int, Event]]:
        """Read the audit trail with its numbers, without the events of fresh states."""
        return [one for one in self.store.events(model, limit=10_000) if one[1].kind != FRESH]
