"""Health of remote models, polled: traffic alone would not show that a baseline which is rarely called has gone."""

import threading
from collections.abc import Mapping

from tightrope.monitors.records import Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.inference.model_pair import ModelPair

HEALTH_POLL_SECONDS = 5.0
"""Seconds between two polls."""


class RemoteHealth:
    """A thread that polls the readiness of the pairs' remote models, and shows it in the metrics."""

    def __init__(self, pairs: Mapping[str, ModelPair], metrics: GatewayMetrics) -> None:
        self._pairs = pairs
        self._metrics = metrics
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote-health", daemon=True)

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop polling; waits up to ``timeout`` seconds for the thread."""
        self._stopping.set()
        self._thread.join(timeout)

    def poll(self) -> None:
        """Poll every remote model once."""
        for name, pair in list(self._pairs.items()):
            for role in Role:
                endpoint = endpoint_of(pair.models[role])
                self._metrics.set_endpoint_up(name, role, up=endpoint.ready() if endpoint else None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.poll()
            self._stopping.wait(HEALTH_POLL_SECONDS)
