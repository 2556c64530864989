"""gRPC on a process of its own: its address, its shutdown, its errors, and a gateway of a cluster."""

import importlib.util
import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]

from tests.support.cluster.cluster import write_cluster_config
from tests.support.commands import command, environment
from tests.support.configs import ROOT, write_config
from tests.support.harmful_pair import Rows, config, traffic
from tests.support.judgement.comparisons import judged_count, open_tick_rows
from tests.support.servers import serving
from tests.tightrope.cli.test_main_run import saved_state
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration with both ports."""
    return write_config(tmp_path, {**config(tmp_path), "server": {"port": 0, "grpc_port": 0}})


@contextmanager
def started(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command until the block ends; yield it with its first line."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(*arguments), cwd=ROOT, env=environment(), **pipes) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()


def infer(client: Any, rows: Rows) -> Any:  # noqa: ANN401 - untyped
    """Send one request to the model m."""
    value = triton.InferInput("input", list(rows.shape), "FP32").set_data_from_numpy(rows.astype(np.float32))
    return client.infer("m", [value])


def test_ready_line_as_json_has_both_addresses(path: Path) -> None:
    """Each address answers at once; the process logs its start and its end, no more."""
    with started("run", path, "--json") as (process, line):
        ready = json.loads(line)
        assert set(ready) == {"address", "grpc", "models", "memory_bound"}
        assert httpx.get(ready["address"] + "/v2/health/ready").json() == {"ready": True}
        with triton.InferenceServerClient(ready["grpc"]) as client:
            assert infer(client, traffic(1, harm=False)).as_numpy("probabilities").shape == (1, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read() == ""
        assert [json.loads(line)["event"] for line in process.stderr] == ["fresh-state", "ready", "stopped"]


def test_port_option_overrides_the_file(tmp_path: Path) -> None:
    """The option turns gRPC on where the file does not, and the address is printed for people."""
    with started("run", write_config(tmp_path, config(tmp_path)), "--grpc-port", "0") as (_, line):
        assert line.startswith("ready http://127.0.0.1:")
        address = line.split()[-1]
        assert line.endswith(f"/v2/models/m/infer, gRPC on {address}\n")
        with triton.InferenceServerClient(address) as client:
            assert client.is_server_ready()


def test_port_in_use_is_one_line(path: Path) -> None:
    """No traceback, nothing of the library's log, exit code 1."""
    with started("run", path, "--json") as (_, line):
        port = json.loads(line)["grpc"].rpartition(":")[2]
        second = write_config(path.parent, {**config(path.parent), "state": "other"})
        with started("run", second, "--grpc-port", port) as (process, output):
            assert process.wait(60) == 1
            assert process.stderr is not None
            lines = " ".join(process.stderr.read().split())
    assert output == ""
    assert lines.startswith("error server.grpc_port: cannot listen: Address already in use")
    assert port in lines
    assert lines.count("error") == 1


def test_signal_drains_what_was_served(path: Path) -> None:
    """Callers are interrupted; every row that was answered is in the saved_state state."""
    answered = [0] * 3

    def call(index: int, address: str) -> None:
        row = traffic(1, harm=False)
        with triton.InferenceServerClient(address) as client:
            try:
                while infer(client, row):
                    answered[index] += 1
            except InferenceServerException:
                return

    with serving(path) as server:
        callers = [threading.Thread(target=call, args=(index, server.grpc)) for index in range(3)]
        for caller in callers:
            caller.start()
        while min(answered) < 10 and all(caller.is_alive() for caller in callers):
            time.sleep(0.01)
        assert server.stop() == 0
        for caller in callers:
            caller.join()
    assert min(answered) >= 10
    state = saved_state(path)
    assert judged_count(state) + len(open_tick_rows(state)) == sum(answered)


def test_cluster_gateway_serves_grpc(tmp_path: Path) -> None:
    """Without Kafka it is live and answers by the baseline, and is not ready before it knows the modes."""
    file = write_cluster_config(tmp_path, "127.0.0.1:1")
    file.write_text(file.read_text().replace("bootstrap_seconds: 0", "bootstrap_seconds: 600"))
    with started("serve", file, "--grpc-port", "0", "--json") as (_, line):
        address = json.loads(line)["grpc"]
        with triton.InferenceServerClient(address) as client, grpc.insecure_channel(address) as channel:
            assert client.is_server_live()
            assert not client.is_server_ready()
            ready = infer(client, traffic(1, harm=False)).get_response().parameters
            assert ready["served_by"].string_param == "baseline"
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING


def test_missing_library_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts, the error names the key and the command that installs the library."""
    find: Callable[[str], Any] = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "grpc_health" else find(name))
    with pytest.raises(ConfigError) as caught:
        load_pairs(load(path, {}))
    assert caught.value.problems == ["server.grpc_port: gRPC needs more: pip install 'tightrope[grpc]'"]
