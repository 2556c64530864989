"""Run `tightrope serve` with a sink instead of Kafka: it accepts every sample and discards it.

`python -m benchmarks.serving.gateway CONFIG`. The rest is the gateway of a cluster, so this measures its process
without the cost of the Kafka client.
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
    """A bus that keeps orders and modes and discards all other records."""

    waiting = 0

    def publish(self, topic_: str, value: bytes, key: str | None = None) -> None:
        """Keep a record of the control topic; discard any other."""
        if topic_ == topic(CONTROL):
            super().publish(topic_, value, key)

    def close(self, timeout: float) -> None:
        """Do nothing: no record is buffered."""


def sink(*_: Any, **__: Any) -> Any:  # noqa: ANN401 - replaces `build_bus`
    """Build the sink, with the signature of `build_bus`."""
    return Sink()


def main() -> None:
    """Serve until a signal stops the process."""
    logging.basicConfig(level="WARNING")
    with gc_tuning.gc_paused():
        from tightrope.wiring import cluster  # noqa: PLC0415 - the command loads it here too

        cluster.build_bus = sink  # the only difference from a cluster
        cluster_commands.serve(Path(sys.argv[1]), json_=True)


if __name__ == "__main__":
    main()
