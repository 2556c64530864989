"""`tightrope serve`, with a sink in the place of Kafka: it takes every sample and forgets it.

`python -m benchmarks.serving.gateway CONFIG`. Everything else is the gateway of a cluster as it is, so this is what its
process costs without what a client of Kafka costs it.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from tightrope.cli import cluster_commands
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.serving import gc_tuning


class Sink(MemoryBus):
    """Keeps orders and modes; everything else is acknowledged and gone."""

    waiting = 0

    def publish(self, topic_: str, value: bytes, key: str | None = None) -> None:
        """Take a record."""
        if topic_ == topic(CONTROL):
            super().publish(topic_, value, key)

    def close(self, timeout: float) -> None:
        """Nothing waits."""


def sink(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - as the one that it stands for
    """In the place of the function that makes the bus."""
    return Sink()


def main() -> None:
    """Serve until a signal says stop."""
    logging.basicConfig(level="WARNING")
    with gc_tuning.put_off():
        from tightrope.wiring import cluster  # noqa: PLC0415 - when the command loads it

        cluster.bus_of = sink  # the one thing that is not as in a cluster
        cluster_commands.serve(Path(sys.argv[1]), json_=True)


if __name__ == "__main__":
    main()
