"""Several gateways on one port without Kafka: what they refuse, what they share, and how they end."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import tritonclient.grpc as triton  # type: ignore[import-untyped]

from tests.support.cluster.cluster import wait_until, write_cluster_config
from tests.support.commands import tightrope
from tests.support.configs import TOKEN
from tests.support.harmful_pair import traffic
from tests.support.serving.multiprocess_server import ProcessGroup, is_running, process_group
from tests.tightrope.cli.test_main_run_grpc import infer

CALLERS = 16
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]
"""Without this option the clients of a process share one connection."""


def write_settings(folder: Path) -> Path:
    """Write a cluster's configuration of two processes; Kafka is absent, and no samples delay the end."""
    path = write_cluster_config(folder, "127.0.0.1:1", sampling={"rate": 0})
    path.write_text(path.read_text().replace("port: 0", "port: 0, processes: 2"))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of the group."""
    return write_settings(tmp_path_factory.mktemp("group"))


@pytest.fixture(scope="module")
def group(path: Path) -> Iterator[ProcessGroup]:
    """Two processes with gRPC."""
    with process_group(path, path.parent, "--grpc-port", "0") as group:
        yield group
        group.kill()


def test_members_end_with_a_killed_supervisor(tmp_path: Path) -> None:
    """It cannot tell them to stop, and would not replace them any more."""
    with process_group(write_settings(tmp_path), tmp_path) as group:
        members = group.members
        group.process.kill()
        wait_until(lambda: not any(is_running(pid) for pid in members))


def test_mistake_is_reported_once(tmp_path: Path) -> None:
    """As with one process; the others are not started."""
    broken = write_cluster_config(tmp_path, "127.0.0.1:1", decision={"output": "nope"})
    ended = tightrope("serve", broken, "--processes", "3")
    assert ended.returncode == 1
    assert ended.stderr.count("models.m.decision.output") == 1
    assert len(ended.stderr.splitlines()) == 1


def test_port_in_use_is_refused(group: ProcessGroup, path: Path) -> None:
    """The kernel would let a second command join the first, and requests would go to either."""
    port = group.address.rpartition(":")[2]
    for processes in ("1", "2"):
        ended = tightrope("serve", path, "--port", port, "--processes", processes)
        assert ended.returncode == 1
        assert "error server: cannot listen: Address already in use" in " ".join(ended.stderr.split())
    assert httpx.get(f"{group.address}/v2/health/live").status_code == 200


def safe_scopes(group: ProcessGroup) -> list[list[str]]:
    """The scopes that each member holds in safe mode."""
    found = []
    for member in group.members:
        with group.only(member):
            found.append(httpx.get(f"{group.address}/v1/models/m", timeout=60).json()["safe"])
    return found


def test_order_holds_in_all_members_without_a_judge(group: ProcessGroup) -> None:
    """The member that took it relays it; no judge confirms it, and the baseline answers until one is heard."""
    for verb, safe in (("force-normal", []), ("force-safe", ["model"])):
        body = {"scope": "model", "reason": "a test says so", "actor": "a test"}
        token = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{group.address}/v1/models/m/{verb}"
        assert httpx.post(url, json=body, headers=token, timeout=60).json()["confirmed"] is False
        wait_until(lambda safe=safe: safe_scopes(group) == [safe, safe])  # type: ignore[misc]
    assert group.roles() == {"baseline"}


def test_settings_have_the_number_and_grpc_is_shared(group: ProcessGroup, path: Path) -> None:
    """`server.processes` is for gateways of a cluster: `tightrope run` refuses it."""
    assert len(group.members) == 2
    for member in group.members:
        with group.only(member):
            group.page()
    before = group.counted
    assert len(before) == 2
    for _ in range(CALLERS):
        with triton.InferenceServerClient(group.grpc, channel_args=OWN_CONNECTION) as client:
            assert infer(client, traffic(1, harm=False)).as_numpy("probabilities").shape == (1, 2)
    wait_until(lambda: sum(group.counted.values()) == sum(before.values()) + CALLERS)
    assert all(group.counted[name] > count for name, count in before.items())
    ended = tightrope("run", path)
    error = "server.processes: is 2, but `tightrope run` is one process; `tightrope serve` can be several"
    assert error in " ".join(ended.stderr.split())
    assert ended.returncode == 1
