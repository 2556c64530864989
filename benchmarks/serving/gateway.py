"""Run `tightrope serve` with a sink instead of Kafka: it accepts every sample and discards it.

`python -m benchmarks.serving.gateway CONFIG`. The rest is the gateway of a cluster, so this measures its process
without the cost of the Kafka client.
"""

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from tightrope.cli import cluster_commands
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.record_codec import encode_routes
from tightrope.service.config.loader import load
from tightrope.serving import gc_tuning


class Sink(MemoryBus):
    """A bus that keeps orders and modes and discards all other records.

    It plays the judge too: it publishes that every model is in normal mode, or the baseline would answer.
    """

    waiting = 0

    def __init__(self, models: Iterable[str]) -> None:
        super().__init__()
        for model in models:
            self.publish(topic(CONTROL), encode_routes(Routes(model, 1, (), {})), model)

    def publish(self, topic_: str, value: bytes, key: str | None = None) -> None:
        """Keep a record of the control topic; discard any other."""
        if topic_ == topic(CONTROL):
            super().publish(topic_, value, key)

    def close(self, timeout: float) -> None:
        """Do nothing: no record is buffered."""


def main() -> None:
    """Serve until a signal stops the process."""
    logging.basicConfig(level="WARNING")
    with gc_tuning.gc_paused():
        from tightrope.wiring import cluster  # noqa: PLC0415 - the command loads it here too

        config = Path(sys.argv[1])
        bus = Sink(load(config).models)
        cluster.build_bus = lambda *_, **__: bus  # type: ignore[assignment] # the only difference from a cluster
        cluster_commands.serve(config, json_=True)


if __name__ == "__main__":
    main()
