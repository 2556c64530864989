"""The modes that the judges of a cluster have saved, for a person to read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tightrope.monitors.plan import Plan
from tightrope.service.adapters.kafka.bus import KafkaBus
from tightrope.service.adapters.kafka.snapshot_store import SnapshotStore
from tightrope.service.adapters.ports import Store
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import load
from tightrope.wiring.topics import kafka_options


@contextmanager
def cluster_modes(config: Path) -> Iterator[tuple[Store, dict[str, Plan]]]:
    """Yield what the judges of a cluster have saved, and the plans of its models; nothing is written.

    Raises:
        BusUnavailableError: when Kafka does not answer.
    """
    settings = load(config)
    plans = {name: pair.plan for name, pair in load_pairs(settings, enforced=False).items()}
    bus = KafkaBus(kafka_options(settings))
    store = SnapshotStore(bus)
    try:
        store.positions(bus.log, list(plans))
        yield store, plans
    finally:
        store.close()
        bus.close(1.0)
