"""No command calls home: under strace each one connects to this machine only, and leaves the home folder as it was.

onnxruntime sends nothing where it sees a CI system or a switch in the environment, so the commands get neither.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.support.cluster.cluster import cluster_on
from tests.support.commands import COMMAND_TIMEOUT_SECONDS, command
from tests.support.configs import write_config
from tests.support.csv_tables import write_table
from tests.support.harmful_pair import config, request, traffic
from tightrope import TELEMETRY_VARIABLE
from tightrope.demo.broker import Broker

STOP_SECONDS = 60.0
DOUBT = 0.4
"""Difference of the two features below which a third of the labels is wrong, so that refusing pays."""

LOCAL = re.compile(
    r"sa_family=AF_(UNIX|LOCAL|UNSPEC|NETLINK)\b"
    r'|sin_port=htons\((?!53\))\d+\), sin_addr=inet_addr\("127\.'
    r'|sin6_port=htons\((?!53\))\d+\).* inet_pton\(AF_INET6, "(::1|::ffff:127\.[0-9.]+)"'
)
"""Addresses of this machine, apart from the port at which it could look up the name of another."""

FOR_WRITING = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True, slots=True)
class Trace:
    """A command under strace in a working directory and a home folder of its own, both empty."""

    folder: Path

    def __post_init__(self) -> None:
        """Make the folders."""
        self.home.mkdir()
        self.working.mkdir()

    @property
    def home(self) -> Path:
        """The home folder."""
        return self.folder / "home"

    @property
    def working(self) -> Path:
        """The working directory."""
        return self.folder / "working"

    @property
    def strangers(self) -> list[str]:
        """The calls that connect to another machine, or open a file in the home folder for writing."""
        calls = (self.folder / "calls").read_text().splitlines()
        connects = [call for call in calls if " connect(" in call and not LOCAL.search(call)]
        assert any("openat(" in call for call in calls), "strace saw nothing"
        return connects + [call for call in calls if f'"{self.home}' in call and FOR_WRITING.search(call)]

    @property
    def left_behind(self) -> list[Path]:
        """The files in both folders."""
        return [*self.home.rglob("*"), *self.working.rglob("*")]

    def start(self, *line: str) -> "subprocess.Popen[str]":
        """Start a command line."""
        strace = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,openat", "-o", f"{self.folder}/calls")
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        pipe = subprocess.PIPE
        return subprocess.Popen([*strace, *line], stdout=pipe, stderr=pipe, text=True, cwd=self.working, env=environ)

    def run(self, *line: str) -> None:
        """Run a command line until it succeeds."""
        with self.start(*line) as process:
            _, errors = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        assert process.returncode == 0, errors

    @contextmanager
    def listening(self, *arguments: str | Path) -> Iterator[str]:
        """Run a command that listens until the block ends; yields its address."""
        with self.start(*command(*arguments, "--json", "--port", "0")) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            try:
                line = process.stdout.readline()
                assert line, process.stderr.read()
                yield str(json.loads(line)["address"])
            finally:
                (traced,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                os.kill(int(traced), signal.SIGTERM)
                assert process.wait(STOP_SECONDS) == 0


@pytest.fixture
def trace(tmp_path: Path) -> Trace:
    """A trace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is missing")
    if subprocess.run(["strace", "-f", "--seccomp-bpf", "true"], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("strace may not trace here")
    (tmp_path / "traced").mkdir()
    return Trace(tmp_path / "traced")


def ask(address: str) -> None:
    """Send a request and await its answer."""
    answer = httpx.post(f"{address}/v2/models/m/infer", json=request(traffic(1, harm=False)[0]), timeout=60.0)
    assert answer.status_code == 200


def test_both_are_seen(trace: Trace) -> None:
    """A program that connects to another machine and writes to the home folder; to 192.0.2.1 no packet is sent."""
    program = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9)); open('{}', 'w')"
    trace.run(sys.executable, "-c", program.format(trace.home / "device-id"))
    connect, written = trace.strangers
    assert "192.0.2.1" in connect
    assert "device-id" in written
    assert trace.left_behind == [trace.home / "device-id"]


def test_run_calls_nobody(trace: Trace, tmp_path: Path) -> None:
    """From the start to the end, with requests that are answered, compared and judged."""
    with trace.listening("run", write_config(tmp_path, config(tmp_path))) as address:
        for _ in range(20):
            ask(address)
    assert trace.strangers == []
    assert trace.left_behind == []


@pytest.mark.parametrize("name", ["check", "calibrate", "limits"])
def test_command_that_serves_nothing_calls_nobody(trace: Trace, tmp_path: Path, name: str) -> None:
    """With the models loaded, and run where the command does so."""
    path = write_config(tmp_path, config(tmp_path, refusal={"threshold": 0.6}))
    rows = traffic(2000, harm=False)
    doubtful = (np.abs(rows[:, 0] - rows[:, 1]) < DOUBT) & (np.arange(2000) % 3 == 0)
    data = write_table(tmp_path / "data.csv", rows, (rows[:, 0] < rows[:, 1]) ^ doubtful)
    trace.run(*command(name, path, *([] if name == "check" else [data]), "--json"))
    assert trace.strangers == []
    assert trace.left_behind == []


@pytest.mark.parametrize("name", ["serve", "worker", "judge"])
def test_process_of_a_cluster_calls_nobody(trace: Trace, tmp_path: Path, kafka: Broker, name: str) -> None:
    """From the start to the end; it connects to its broker, which is on this machine."""
    with cluster_on(tmp_path, kafka.address) as cluster:
        cluster.make_topics()
        with trace.listening(name, cluster.path) as address:
            if name == "serve":
                ask(address)
    assert trace.strangers == []
    assert trace.left_behind == []


@pytest.mark.parametrize(("given", "kept"), [({}, "1"), ({TELEMETRY_VARIABLE: "0"}, "0")])
def test_operator_may_allow_it(given: dict[str, str], kept: str) -> None:
    """A value that is set already is respected; otherwise it is switched off, for processes started later too."""
    program = f"import tightrope, os, subprocess; subprocess.run(['printenv', {TELEMETRY_VARIABLE!r}])"
    environ = {name: value for name, value in os.environ.items() if name != TELEMETRY_VARIABLE} | given
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert ended.stdout.strip() == kept
