"""A server that stops loses no request of callers that keep their connections; it ends in time, also if a run hangs."""

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster.cluster import wait_until
from tests.support.configs import write_config
from tests.support.harmful_pair import config, request
from tests.support.onnx_models import looping
from tests.support.servers import Server, serving
from tests.support.serving.drained_callers import PAUSES, Callers, drain
from tests.support.serving.multiprocess_server import process_group
from tests.support.serving.protocol_connection import post
from tests.support.serving.raw_caller import RawCaller
from tests.tightrope.serving.test_processes import write_settings

DRAIN_SECONDS = 2
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
SLACK_SECONDS = 3.0
"""A busy machine's delays; without the deadline the server would never end."""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory: a server that saves its state there waits for no disk, which others may keep busy."""
    with tempfile.TemporaryDirectory(dir=MEMORY_FOLDER if MEMORY_FOLDER.is_dir() else None) as name:
        yield Path(name)


def write_server(folder: Path, **changes: Any) -> Path:  # noqa: ANN401 - keys of the server's section
    """Write a configuration with gRPC."""
    return write_config(folder, config(folder) | {"server": {"port": 0, "grpc_port": 0, **changes}})


def stopping_seconds(server: Server) -> tuple[int, float]:
    """Stop a server; its exit code, and the seconds that it took."""
    began = time.monotonic()
    return server.stop(signal.SIGTERM), time.monotonic() - began


def test_stopping_server_loses_no_request(tmp_path: Path) -> None:
    """Callers of any pace, over HTTP and gRPC, are answered; over HTTP each is told that its connection ends."""
    path = write_server(tmp_path)
    for _ in range(2):
        callers, code, _ = drain(path)
        assert (callers.lost, callers.farewells, code) == ([], len(PAUSES), 0)
        assert callers.answered > len(PAUSES)


def test_stopping_processes_lose_no_request(tmp_path: Path) -> None:
    """Those that share a port accept what waits there before they close it."""
    with process_group(write_settings(tmp_path), tmp_path) as group:
        with Callers(Server(group.process, group.address)) as callers:
            callers.wait()
            group.process.terminate()
        group.kill()
    assert callers.lost == []
    assert callers.farewells >= len(PAUSES)  # more where another process took a caller in


def test_one_process_that_stops_leaves_the_port_to_the_others(tmp_path: Path) -> None:
    """They share one socket; new callers are answered while it is replaced, and by its replacement."""
    with process_group(write_settings(tmp_path), tmp_path) as group:
        stopped = min(group.members)
        os.kill(stopped, signal.SIGTERM)
        wait_until(lambda: stopped not in group.members)
        assert {group.served_by() for _ in range(8)} == {"baseline"}
        wait_until(lambda: len(group.members) == 2)
        assert {group.served_by() for _ in range(8)} == {"baseline"}
        group.kill()


def test_callers_that_do_nothing_hold_up_no_end(memory: Path) -> None:
    """Neither one that is idle, nor one that sent half of a request, nor one that does not read its answers."""
    halves = [b"", post(b"{}")[:40], post(b"{}")[:-1], post(b"", "/metrics", method="GET") * 60]
    with serving(write_server(memory, drain_seconds=DRAIN_SECONDS)) as server, ExitStack() as held:
        server.client.get("/metrics")  # what answers it is made once, which a busy machine takes seconds for
        for half in halves:
            held.enter_context(RawCaller(server.address)).send(half)
        time.sleep(0.5)
        code, seconds = stopping_seconds(server)
    assert code == 0
    assert seconds < DRAIN_SECONDS + SLACK_SECONDS


def test_run_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """Its caller is cut off; the state was saved before."""
    slow = str(looping(tmp_path / "slow.onnx", width=4))
    path = write_config(
        tmp_path,
        {
            "models": {"m": {"baseline": slow, "compressed": slow, "run_seconds": 600}},
            "server": {"port": 0, "drain_seconds": DRAIN_SECONDS},
        },
    )
    with serving(path) as server, RawCaller(server.address) as caller:
        caller.send(post(json.dumps(request([1e12, 0, 0, 0])).encode()))
        time.sleep(0.5)
        _, seconds = stopping_seconds(server)
        with suppress(ConnectionResetError):
            assert caller.read_all() == b""
    assert seconds < DRAIN_SECONDS + SLACK_SECONDS
