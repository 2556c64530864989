"""The real Prometheus and Alertmanager, as Debian packages them: `make tools` installs them where it can."""

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
    """The path of promtool, amtool, prometheus or prometheus-alertmanager; without it the test is skipped, and where
    everything is to be proved it fails.
    """
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install prometheus prometheus-alertmanager")
    return found


def said(name: str, *arguments: str | Path, stdin: str | None = None) -> tuple[int, str]:
    """Run one of the tools to its end: its exit code, and what it said."""
    command = [program(name), *map(str, arguments)]
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, ended.stdout + ended.stderr


class Running(NamedTuple):
    """One of the servers, as it runs."""

    address: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def alertmanager(folder: Path, config: Mapping[str, Any], port: int = 0) -> Iterator[Running]:
    """A real Alertmanager with this configuration, until the block ends."""
    file, port = folder / "alertmanager.yml", port or free_port()
    YAML(typ="safe").dump(dict(config), file)
    storage = f"--storage.path={folder / 'alerts'}"
    options = [f"--config.file={file}", storage, f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    with _running([program("prometheus-alertmanager"), *options], folder / "alertmanager.log", port) as running:
        yield running


@contextmanager
def prometheus(folder: Path, config: Mapping[str, Any]) -> Iterator[Running]:
    """A real Prometheus with this configuration, quick to tell what it finds."""
    file, port = folder / "prometheus.yml", free_port()
    YAML(typ="safe").dump(dict(config), file)
    options = [f"--config.file={file}", f"--storage.tsdb.path={folder / 'series'}"]
    options += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"]
    options += ["--rules.alert.resend-delay=1s", "--rules.alert.for-grace-period=1s"]
    with _running([program("prometheus"), *options], folder / "prometheus.log", port) as running:
        yield running


@contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[Running]:
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as process:
        try:
            until(lambda: _ready(address), 30, lambda: log.read_text()[-2000:])
            yield Running(address, process)
        finally:
            process.terminate()


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready").is_success
    except httpx.TransportError:
        return False


def until(holds: Callable[[], object], seconds: float, said: Callable[[], object] = str) -> None:
    """Wait until something holds; fail with what is ``said`` where it does not within so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, said()
        time.sleep(0.02)
