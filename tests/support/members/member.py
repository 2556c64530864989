"""One member of a cluster, a process of its own, as an operator or an orchestrator handles it."""

import json
import signal
import subprocess
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cluster.cluster import wait_until
from tests.support.commands import environment
from tests.support.configs import ROOT
from tests.support.members.releases import Release

STOP_TIMEOUT_SECONDS = 60.0
READY_TIMEOUT_SECONDS = 120.0


class Member:
    """A gateway (``serve``), a worker or a judge, started at once. ``release`` runs it, ``log`` has its errors."""

    def __init__(self, command: str, release: Release, config: Path, log: Path) -> None:
        self.command, self.release, self.config, self.log = command, release, config, log
        line = [*release.command, command, str(config), "--json", "--port", "0"]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=file, text=True, cwd=ROOT, env=environment()
            )
        self._address = ""

    @property
    def address(self) -> str:
        """Its host and port; waits until it listens."""
        if not self._address:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, f"{self.command} of {self.release.name} ended: {self.log.read_text()[-2000:]}"
            self._address = str(json.loads(line)["address"]).removeprefix("http://")
        return self._address

    def get(self, path: str) -> httpx.Response:
        """Its response to a GET."""
        return httpx.get(f"http://{self.address}{path}", timeout=5.0)

    def metrics(self) -> dict[str, float]:
        """The values of its metrics, by name and labels; summed over the labels model and scope."""
        values: dict[str, float] = {}
        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                labels = [value for name, value in sorted(sample.labels.items()) if name not in {"model", "scope"}]
                key = ",".join([sample.name, *labels])
                values[key] = values.get(key, 0.0) + sample.value
        return values

    def wait_ready(self) -> None:
        """Wait until it says that it is ready."""
        wait_until(self._is_ready, READY_TIMEOUT_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return self.get("/v2/health/ready").status_code == 200
        except httpx.TimeoutException:  # a busy machine
            return False

    @property
    def resident_bytes(self) -> int:
        """Its memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * 4096

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """Ask it to end as an orchestrator does, and wait; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """End it without its knowledge, if it still runs."""
        self.process.kill()
        self.process.wait(STOP_TIMEOUT_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
