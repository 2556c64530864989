"""Several gateways share a port and one fate: what they refuse, and how they end. They need no Kafka for that."""

from pathlib import Path

import httpx
import pytest
import tritonclient.grpc as triton  # type: ignore[import-untyped]

from tests.support.cluster.cluster import until, written
from tests.support.commands import tightrope
from tests.support.harmful_pair import traffic
from tests.support.servers import TOKEN
from tests.support.serving.multiprocess_server import alive, several
from tests.tightrope.cli.test_main_run_grpc import ask

CALLERS = 16
APART = [("grpc.use_local_subchannel_pool", 1)]
"""Clients of this process have connections of their own."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration of a cluster whose Kafka is away; without samples nothing waits for it at the end."""
    return written(tmp_path, "127.0.0.1:1", sampling={"rate": 0})


def test_none_outlives_who_looks_after_them(path: Path, tmp_path: Path) -> None:
    """Killed, it cannot tell them to stop; nobody would replace them any more."""
    with several(path, tmp_path) as made:
        members = made.members
        made.process.kill()
        until(lambda: not any(alive(pid) for pid in members))


def test_mistake_is_told_once_and_nothing_is_started(tmp_path: Path) -> None:
    """As by one process."""
    broken = written(tmp_path, "127.0.0.1:1", decision={"output": "nope"})
    ended = tightrope("serve", broken, "--processes", "3")
    assert ended.returncode == 1
    assert ended.stderr.count("models.m.decision.output") == 1
    assert len(ended.stderr.splitlines()) == 1


def test_port_of_others_is_refused(path: Path, tmp_path: Path) -> None:
    """The kernel would let a second command join the first, and calls go to either."""
    with several(path, tmp_path) as made:
        port = made.address.rpartition(":")[2]
        for processes in ("1", "2"):
            ended = tightrope("serve", path, "--port", port, "--processes", processes)
            assert ended.returncode == 1
            assert "error server: cannot listen: Address already in use" in " ".join(ended.stderr.split())
        assert httpx.get(f"{made.address}/v2/health/live").status_code == 200


def test_order_holds_in_all_while_kafka_is_away(path: Path, tmp_path: Path) -> None:
    """Whichever took it: nobody can ask one of them."""
    with several(path, tmp_path) as made:
        for what, role in (("force-normal", "compressed"), ("force-safe", "baseline")):
            told = {"scope": "model", "reason": "a test says so", "actor": "a test"}
            token = {"Authorization": f"Bearer {TOKEN}"}
            url = f"{made.address}/v1/models/m/{what}"
            assert httpx.post(url, json=told, headers=token, timeout=60).json()["confirmed"] is False
            until(lambda role=role: {made.served_by() for _ in range(CALLERS)} == {role})  # type: ignore[misc]


def test_settings_say_how_many_and_grpc_is_shared_too(path: Path, tmp_path: Path) -> None:
    """`server.processes` is of gateways of a cluster: `tightrope run` refuses it."""
    path.write_text(path.read_text().replace("port: 0", "port: 0, processes: 2"))
    with several(path, tmp_path, "--grpc-port", "0") as made:
        assert len(made.members) == 2
        for _ in range(CALLERS):
            with triton.InferenceServerClient(made.grpc, channel_args=APART) as client:
                assert ask(client, traffic(1, harm=False)).as_numpy("probabilities").shape == (1, 2)
        until(lambda: sum(made.counted.values()) == CALLERS)
        assert min(made.counted.values()) > 0
    ended = tightrope("run", path)
    told = "server.processes: is 2, but `tightrope run` is one process; `tightrope serve` can be several"
    assert told in " ".join(ended.stderr.split())
    assert ended.returncode == 1
