"""`tightrope serve`, with a sink in the place of Kafka: it takes every sample and forgets it.

`python -m benchmarks.serving.gateway CONFIG`. Everything else is the gateway of a cluster as it is, so this is what its
process costs without what a client of Kafka costs it.
"""

import logging
import sys
from pathlib import Path
from typing import Any

from service.adapters.memory import MemoryBus
from service.adapters.topics import CONTROL, topic
from service.settings import load
from tightrope import cluster


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
    cluster._bus = sink  # noqa: SLF001 - the one thing that is not as in a cluster
    settings = load(Path(sys.argv[1]))
    cluster.run(cluster.gateway(settings), settings, lambda *at: print(*at, flush=True))


if __name__ == "__main__":
    main()
