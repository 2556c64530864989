"""Gateway processes with wrong clocks."""

import json
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.commands import environment
from tests.support.configs import ROOT
from tests.support.harmful_pair import Rows, request

PROGRAM = """
import sys, time
ahead, real = float(sys.argv.pop(1)), time.time
time.time = lambda: real() + ahead
from tightrope.service import outbox
from tightrope.cli.main import main
outbox.TRAFFIC_SECONDS = 1.0
main()
"""
"""The command with a clock that is ahead; it publishes the number of kept samples every second."""


class SkewedGateway:
    """A gateway with a wrong clock, and the ids of its requests."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.ids: list[str] = []

    def ask(self, rows: Rows) -> None:
        """Send one request a row."""
        for row in rows:
            self.ids.append(uuid.uuid4().hex)
            self._client.post("/v2/models/m/infer", json=request(row, self.ids[-1])).raise_for_status()

    @property
    def ready(self) -> bool:
        """Whether it has read the modes."""
        return int(self._status["epoch"]) >= 0

    @property
    def mode(self) -> str:
        """The mode of the whole model, as this gateway knows it."""
        return str(self._status["scopes"]["model"])

    @property
    def _status(self) -> Any:  # noqa: ANN401 - as JSON
        return self._client.get("/v1/models/m").json()

    @property
    def dropped(self) -> Counter[str]:
        """Dropped samples by reason."""
        families = text_string_to_metric_families(self._client.get("/metrics").text)
        lost = (s for family in families for s in family.samples if s.name == "tightrope_samples_dropped_total")
        return Counter({sample.labels["reason"]: int(sample.value) for sample in lost if sample.value})


@contextmanager
def skewed_gateway(config: Path, ahead: float) -> Iterator[SkewedGateway]:
    """A gateway whose clock is ``ahead`` seconds ahead; killed at the end."""
    line = [sys.executable, "-c", PROGRAM, str(ahead), "serve", str(config), "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["address"]
            with httpx.Client(base_url=address, timeout=30.0) as client:
                yield SkewedGateway(client)
        finally:
            process.kill()
