"""Run `tightrope serve` with a sink instead of Kafka: it accepts every sample and discards it.

`python -m benchmarks.serving.gateway CONFIG`. The rest is the gateway of a cluster, so this measures its process
without the cost of the Kafka client.
"""

import logging
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tightrope.cli import cluster_commands
from tightrope.monitors.records import Routes
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.heartbeat import HEARTBEAT_KEY, Heartbeat, encode_heartbeat
from tightrope.service.adapters.wire.record_codec import encode_routes
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import Settings
from tightrope.service.inference.model_pair import ModelPair
from tightrope.serving import gc_tuning
from tightrope.shadow.heartbeat import HEARTBEAT_SECONDS


class Sink(MemoryBus):
    """A bus that keeps orders, modes and heartbeats and discards all other records.

    It plays the judge too: it publishes that every model is in normal mode and judged, or the baseline would answer.
    """

    waiting = 0

    def judge(self, pairs: Mapping[str, ModelPair]) -> None:
        """Publish the modes, and heartbeats from now on."""
        for model, pair in pairs.items():
            routes = Routes(model, 1, (), {}, plan=pair.plan.coverage)
            self.publish(topic(CONTROL), encode_routes(routes), model)
        threading.Thread(target=self._beat, args=(pairs,), daemon=True).start()

    def _beat(self, pairs: Mapping[str, ModelPair]) -> None:
        judged = 0
        while True:
            judged += 1
            for model, pair in pairs.items():
                heartbeat = Heartbeat(model, "sink", time.monotonic(), judged, plan=pair.plan.coverage)
                self.publish(topic(CONTROL), encode_heartbeat(heartbeat), model + HEARTBEAT_KEY)
            time.sleep(HEARTBEAT_SECONDS)

    def publish(self, topic_: str, value: bytes, key: str | None = None) -> None:
        """Keep a record of the control topic; discard any other."""
        if topic_ == topic(CONTROL):
            super().publish(topic_, value, key)

    def close(self, timeout: float) -> None:
        """Do nothing: no record is buffered."""

    def notice(self, *_: object) -> None:
        """Do nothing: no topic changes."""


class NoTopicWatch:
    """A watch over the topics of no broker."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self, timeout: float) -> None:
        """Do nothing."""


def main() -> None:
    """Serve until a signal stops the process."""
    logging.basicConfig(level="WARNING")
    with gc_tuning.gc_paused():
        from tightrope.wiring import cluster  # noqa: PLC0415 - the command loads it here too

        bus = Sink()

        def judged_pairs(settings: Settings, *given: Any, **named: Any) -> dict[str, ModelPair]:  # noqa: ANN401 - as there
            pairs = load_pairs(settings, *given, **named)
            bus.judge(pairs)
            return pairs

        cluster.load_pairs = judged_pairs  # type: ignore[attr-defined]
        cluster.watch_topics = lambda *_, **__: NoTopicWatch()  # type: ignore[attr-defined, assignment]
        cluster.build_bus = lambda *_, **__: bus  # type: ignore[assignment] # the only difference from a cluster
        cluster_commands.serve(Path(sys.argv[1]), json_=True)


if __name__ == "__main__":
    main()
