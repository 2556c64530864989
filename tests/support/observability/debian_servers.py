"""The real Prometheus and Alertmanager of Debian's packages, which `make tools` installs where possible."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from ruamel.yaml import YAML


def program(name: str) -> str:
    """The path of promtool, amtool, prometheus or prometheus-alertmanager; the test is skipped without it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install prometheus prometheus-alertmanager")
    return found


TOOL_SECONDS = 300.0
"""Time for one run of a tool on a busy machine: promtool replays hours of metrics."""


def run_tool(name: str, *arguments: str | Path, stdin: str | None = None) -> tuple[int, str]:
    """Run one of the tools; returns its exit code and its output."""
    command = [program(name), *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=TOOL_SECONDS)
    return ended.returncode, ended.stdout + ended.stderr


class RunningServer(NamedTuple):
    """A running server."""

    address: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A free TCP port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def alertmanager(folder: Path, config: Mapping[str, Any], port: int = 0) -> Iterator[RunningServer]:
    """Run a real Alertmanager with this configuration until the block ends."""
    file, port = folder / "alertmanager.yml", port or free_port()
    YAML(typ="safe").dump(dict(config), file)
    storage = f"--storage.path={folder / 'alerts'}"
    options = [f"--config.file={file}", storage, f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with _running([program("prometheus-alertmanager"), *options], folder / "alertmanager.log", port) as running:
        yield running


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[RunningServer]:
    """Run a real Prometheus with this configuration and short delays until the block ends."""
    file, port = folder / "prometheus.yml", free_port()
    YAML(typ="safe").dump(dict(config), file)
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'series'}"]
    options += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    options += ["--rules.alert.resend-delay=1s", "--rules.alert.for-grace-period=1s"]
    with _running([program("prometheus"), *options], folder / "prometheus.log", port) as running:
        yield running


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[RunningServer]:
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            until(lambda: _ready(address), 30, lambda: log.read_text()[-2000:])
            yield RunningServer(address, process)
        finally:
            process.terminate()


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready").is_success
    except httpx.TransportError:
        return False


def until(holds: Callable[[], object], seconds: float, explain: Callable[[], object] = str) -> None:
    """Wait until a condition holds; fail with ``explain()`` after ``seconds`` seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.02)
