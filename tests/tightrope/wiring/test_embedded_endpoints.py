"""A role on another server, here another Tightrope: it answers, is compared with, fails and returns."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.commands import tightrope
from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, config, request, traffic, write_models
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import AUTH, eventually

INFER = "/v2/models/m/infer"
ROW = request([1.0, 0.0, 0.0, 0.0])
WHY = {"reason": "a test asks for it", "actor": "tests"}


def free_port() -> int:
    """Return a port without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class World:
    """Two folders: ``far`` serves the baseline, ``near`` the pair with that baseline."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.near, self._far = folder / "near", folder / "far"
        self.near.mkdir()
        self._far.mkdir()
        file = write_models(self._far)["baseline"]
        whole = {"models": {"big": {"baseline": file, "compressed": file}}, "state": "state"}
        self.remote = write_config(self._far, whole | {"server": {"port": self.port}})

    def baseline(self, **changes: object) -> dict[str, Any]:
        """Return the role's section of the configuration."""
        return {"endpoint": f"http://127.0.0.1:{self.port}", "model": "big", "probe_seconds": 0.1, **changes}

    def config(self, **changes: object) -> Path:
        """Write the near server's configuration."""
        return write_config(self.near, config(self.near, baseline=self.baseline(**changes)))

    @contextmanager
    def far(self) -> Iterator[Server]:
        """Run the server of the baseline."""
        with serving(self.remote) as server:
            yield server


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The folders and addresses, with no server running."""
    return World(tmp_path)


def ask(server: Server, row: Any = ROW) -> dict[str, Any]:  # noqa: ANN401 - a request
    """Return the parameters of an answer."""
    answer = server.client.post(INFER, json=row)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["parameters"])


def order(server: Server, what: str) -> None:
    """Send an operator's order for the whole model."""
    answer = server.client.post(f"/v1/models/m/{what}", json={**WHY, "scope": "model"}, headers=AUTH)
    assert answer.status_code == 200, answer.text


def failures(server: Server) -> list[dict[str, Any]]:
    """Return events about a model that failed."""
    events = server.client.get("/v1/events?after=0&limit=1000").json()["events"]
    return [event for event in events if event["kind"] == "model-failed"]


def figure(server: Server, name: str) -> float:
    """Return the value of a series."""
    lines = server.client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_remote_baseline_saves_the_harmed_subgroup(world: World) -> None:
    """Shadow, verdict and safe mode are those of two files, and every sample is compared."""
    with world.far(), serving(world.config()) as near:
        rows = traffic(960, harm=True)
        for begin in range(0, 960, 96):
            assert near.client.post(INFER, json=request(rows[begin : begin + 96])).status_code == 200
        eventually(lambda: MINORITY in near.client.get("/v1/models/m").json()["safe"], 30.0)
        response = ask(near, request(rows[0]))
        assert (response["served_by"], response["safe_mode"]) == ("baseline", True)
        assert ask(near, request(rows[1]))["served_by"] == "compressed"
        compared = 'tightrope_comparisons_total{model="m",scope="model"}'
        eventually(lambda: figure(near, compared) == 962.0)
        assert figure(near, 'tightrope_comparison_errors_total{model="m",scope="model"}') == 0
        assert failures(near) == []


def test_remote_answers_are_bit_identical(world: World) -> None:
    """The file gives equal answers in both processes."""
    with world.far() as far, serving(world.config()) as near:
        order(near, "force-safe")
        one, other = (s.client.post(f"/v2/models/{m}/infer", json=ROW).json() for s, m in ((far, "big"), (near, "m")))
        assert one["outputs"] == other["outputs"]
        assert other["parameters"]["model_digest"] == near.client.get("/v1/models/m").json()["baseline_digest"]


def test_dead_endpoint_costs_no_answer(world: World) -> None:
    """The other model answers at once, with a mark; the audit trail has the reason; when the endpoint is back it
    answers again.
    """
    with world.far() as far, serving(world.config()) as near:
        order(near, "force-safe")
        assert ask(near)["served_by"] == "baseline"
        assert figure(near, 'tightrope_endpoint_up{model="m",role="baseline"}') == 1
        far.stop(signal.SIGKILL)
        taken = []
        for _ in range(30):
            began = time.monotonic()
            response = ask(near)
            taken.append(time.monotonic() - began)
            assert (response["served_by"], response["fallback"], response["safe_mode"]) == (
                "compressed",
                "baseline",
                True,
            )
        assert max(taken) < 1.0
        (event,) = eventually(lambda: failures(near))
        assert event["reason"].startswith("unreachable: ")
        assert (event["detail"]["role"], event["detail"]["answered_by"]) == ("baseline", "compressed")
        assert figure(near, 'tightrope_model_failures_total{model="m",reason="unreachable",role="baseline"}') == 30
        eventually(lambda: figure(near, 'tightrope_endpoint_up{model="m",role="baseline"}') == 0, 30.0)
        with world.far():
            eventually(lambda: ask(near)["served_by"] == "baseline", 20.0)


def test_hanging_endpoint_delays_few_requests(world: World) -> None:
    """A stopped process accepts connections and never responds: after three timeouts no request waits for it."""
    with world.far() as far, serving(world.config(timeout_seconds=0.5)) as near:
        order(near, "force-safe")
        assert ask(near)["served_by"] == "baseline"
        far.process.send_signal(signal.SIGSTOP)
        try:
            taken = []
            for _ in range(20):
                began = time.monotonic()
                assert ask(near)["served_by"] == "compressed"
                taken.append(time.monotonic() - began)
        finally:
            far.process.send_signal(signal.SIGCONT)
        assert max(taken) < 1.5
        assert sorted(taken)[-4] < 0.3, taken
        eventually(lambda: ask(near)["served_by"] == "baseline", 20.0)


def test_unavailable_shadow_is_counted_as_an_error(world: World) -> None:
    """Rows that could not be compared are counted as such, never as agreement; callers are unaffected."""
    with world.far() as far, serving(world.config()) as near:
        far.stop(signal.SIGKILL)
        for _ in range(20):
            assert ask(near)["served_by"] == "compressed"
        errors = 'tightrope_comparison_errors_total{model="m",scope="model"}'
        eventually(lambda: figure(near, errors) == 20.0)


def test_no_available_model_is_503(world: World) -> None:
    """It is not the caller's fault, and may be temporary."""
    two = config(world.near, baseline=world.baseline(), compressed=world.baseline())
    with world.far() as far, serving(write_config(world.near, two)) as near:
        assert ask(near)["served_by"] == "compressed"
        far.stop(signal.SIGKILL)
        answer = near.client.post(INFER, json=ROW)
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("neither model could answer; the last is unreachable: ")
        assert near.client.get("/v2/health/live").status_code == 200


def test_missing_required_endpoint_prevents_the_start(world: World) -> None:
    """The line names the key, the address, and both remedies."""
    ended = tightrope("check", world.config(), COLUMNS="1000")
    assert ended.returncode == 1
    assert "models.m.baseline: http://127.0.0.1:" in ended.stderr
    assert "Connection refused; start it first, or set required: false" in ended.stderr


def test_optional_endpoint_may_come_later(world: World) -> None:
    """The compressed model serves from the start; safe mode uses the baseline as soon as it is available."""
    with serving(world.config(required=False, version="1")) as near:
        order(near, "force-safe")
        assert ask(near)["fallback"] == "baseline"
        digest = near.client.get("/v1/models/m").json()["baseline_digest"]
        with world.far():
            eventually(lambda: ask(near)["served_by"] == "baseline", 20.0)
            assert ask(near)["model_digest"] == digest


def test_signatures_of_remote_models_are_checked(world: World) -> None:
    """A difference is reported as between two files."""
    with world.far():
        ended = tightrope("check", write_config(world.near, wrong(world)), COLUMNS="1000")
    assert ended.returncode == 1
    assert "models.m.compressed: input 'input' is FP32[-1, 1], but the baseline's is FP32[-1, 4]" in ended.stderr


def wrong(world: World) -> dict[str, Any]:
    """A compressed model that takes one feature."""
    from tests.support.onnx_models import fragile

    return config(world.near, baseline=world.baseline(), compressed=str(fragile(world.near / "fragile.onnx")))


def test_remote_model_is_deployed_and_rolled_back(world: World) -> None:
    """It is deployed over HTTP, survives a restart, and is rolled back to the file."""
    path = write_config(world.near, config(world.near))
    with world.far():
        with serving(path) as near:
            before = near.client.get("/v1/models/m").json()["baseline_digest"]
            body = {**WHY, "role": "baseline", "endpoint": world.baseline()}
            response = near.client.post("/v1/models/m/deploy", json=body, headers=AUTH)
            assert response.status_code == 200, response.text
            digest = response.json()["baseline_digest"]
            assert digest != before
            order(near, "force-safe")
            assert ask(near)["model_digest"] == digest
        with serving(path) as near:
            assert near.client.get("/v1/models/m").json()["baseline_digest"] == digest
            relative = {**WHY, "role": "baseline", "path": "baseline.onnx"}
            answer = near.client.post("/v1/models/m/deploy", json=relative, headers=AUTH)
            assert (answer.status_code, "must be absolute" in answer.json()["error"]) == (400, True)
            whole = {**relative, "path": str(world.near / "baseline.onnx")}
            assert deployed(near, whole) == before
            assert near.client.post("/v1/models/m/rollback", json=WHY, headers=AUTH).json()["baseline_digest"] == digest


def deployed(server: Server, body: dict[str, Any]) -> str:
    """Return the digest of the baseline after a deployment."""
    answer: httpx.Response = server.client.post("/v1/models/m/deploy", json=body, headers=AUTH)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["baseline_digest"])
