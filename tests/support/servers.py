"""A real `tightrope run` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.configs import ROOT, TOKEN

START_SECONDS = 60.0


class Server:
    """A running server: its process, its HTTP address with a client, and its gRPC address."""

    def __init__(self, process: subprocess.Popen[str], address: str, grpc: str = "") -> None:
        self.process = process
        self.address = address
        self.grpc = grpc
        self.client = httpx.Client(base_url=address, timeout=30.0)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        self.client.close()
        self.process.send_signal(number)
        return self.process.wait(START_SECONDS)


@contextmanager
def serving(
    config: Path, environ: Mapping[str, str] | None = None, python: str | Path = sys.executable
) -> Iterator[Server]:
    """Serve a configuration with a control token until the block ends; the block may stop the server itself."""
    command = [str(python), "-P", "-m", "tightrope", "run", str(config), "--json"]
    environment = {**os.environ, "TIGHTROPE_CONTROL_TOKEN": TOKEN, **(environ or {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"the server ended with code {process.wait(START_SECONDS)} before it was ready"
        ready = json.loads(line)
        server = Server(process, ready["address"], ready.get("grpc", ""))
        try:
            yield server
        finally:
            if process.poll() is None:
                server.stop()
