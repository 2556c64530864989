"""The gateway's process alone: everything on, and a sink in the bus's place that takes every sample and forgets it.

`python -m benchmarks.serving.gateway CONFIG`. Samples are encoded as for any bus, so this is a gateway of a
cluster, without what a client of Kafka costs it; with Kafka it is `tightrope serve`, of which nothing is replaced.
"""

import sys
from functools import partial
from pathlib import Path

from monitors.records import Event
from service.adapters.memory import MemoryBus
from service.adapters.metrics import Metrics, process_registry
from service.adapters.topics import CONTROL, topic
from service.app import Service, build_service, is_slow, load_pairs
from service.settings import Settings, load
from shadow.judge import Bench
from tightrope.cluster import NoDeployer, Process, run


class Sink(MemoryBus):
    """Keeps orders and modes; everything else is acknowledged and gone."""

    def publish(self, topic_: str, value: bytes, key: str | None = None) -> None:
        """Take a record."""
        if topic_ == topic(CONTROL):
            super().publish(topic_, value, key)


class NoTrail:
    """Implements `service.adapters.ports.Trail`: nobody saves events here."""

    def events(self, model: str | None = None, after: int = 0, limit: int = 100) -> list[tuple[int, Event]]:
        """None."""
        del model, after, limit
        return []


def wire_up(settings: Settings) -> Service:
    """The gateway of `tightrope serve` on the sink."""
    pairs = load_pairs(settings)
    bench = Bench({name: pair.plan for name, pair in pairs.items()})
    slow = {name: is_slow(pair) for name, pair in pairs.items()}
    metrics = Metrics(process_registry())
    return build_service(settings, pairs, slow, Sink(), NoTrail(), bench, NoDeployer(), metrics)


def main() -> None:
    """Serve until a signal says stop."""
    settings = load(Path(sys.argv[1]))
    service = wire_up(settings)
    process = Process(service.app, service.start, partial(service.stop, 10.0))
    run(process, settings, lambda host, port: print(f"http://{host}:{port}", flush=True))


if __name__ == "__main__":
    main()
