"""Whether the models that live elsewhere are there: asked again and again, because a baseline is needed most when
nobody has asked it for long.
"""

import threading
from collections.abc import Mapping

from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import EndpointModel
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.inference.model_pair import Pair

EVERY = 5.0
"""Seconds between two looks."""


class Presence:
    """A thread that asks the servers of these pairs' models whether they are ready, and shows what they say."""

    def __init__(self, pairs: Mapping[str, Pair], metrics: Metrics) -> None:
        self._pairs = pairs
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ask no more."""
        self._stopping.set()
        self._thread.join(timeout)

    def look(self) -> None:
        """Ask each of them once."""
        for name, pair in list(self._pairs.items()):
            for role in Role:
                model = pair.models[role]
                self._metrics.endpoint(name, role, up=model.ready() if isinstance(model, EndpointModel) else None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(EVERY)
