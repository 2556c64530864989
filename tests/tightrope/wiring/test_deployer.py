"""Hot swap of a real server: no request fails, and an unusable artefact changes nothing."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.commands import tightrope
from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, COMPRESSED, MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import AUTH, eventually
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.deployer import DEPLOYED_FILE, with_deployed

INFER = "/v2/models/m/infer"
WHY = {"reason": "a test asks for it", "actor": "tests"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration in a folder of its own, with a sound artefact ``sound.onnx`` beside the harmful one."""
    classifier(tmp_path / "sound.onnx", np.float32(1.01) * BASELINE)
    return write_config(tmp_path, config(tmp_path))


def post(server: Server, what: str, **fields: object) -> httpx.Response:
    """Request a deployment or a rollback."""
    return server.client.post(f"/v1/models/m/{what}", json={**WHY, **fields}, headers=AUTH)


def model(server: Server) -> dict[str, Any]:
    """Return the status of the model."""
    return dict(server.client.get("/v1/models/m").json())


def events(server: Server) -> list[dict[str, Any]]:
    """Return the audit trail."""
    return list(server.client.get("/v1/events?model=m&after=0&limit=1000").json()["events"])


def send(server: Server, seed: int, *, harm: bool) -> None:
    """Send ninety-six rows."""
    assert server.client.post(INFER, json=request(traffic(96, harm=harm, seed=seed))).status_code == 200


@contextmanager
def callers(server: Server) -> Iterator[list[int]]:
    """Run three clients that send one request after another; yield the status codes."""
    codes: list[int] = []
    stop = threading.Event()
    row = request(traffic(1, harm=False)[0])

    def call() -> None:
        with httpx.Client(base_url=server.address, timeout=30.0) as client:
            while not stop.is_set():
                try:
                    codes.append(client.post(INFER, json=row).status_code)
                except httpx.HTTPError:
                    codes.append(0)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield codes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_no_request_fails_while_artefacts_are_swapped(path: Path) -> None:
    """Artefacts change several times under load; each switch is in the audit trail with both digests."""
    with serving(path) as server:
        first = model(server)["compressed_digest"]
        with callers(server) as codes:
            for _ in range(3):
                seen = len(codes)
                response = post(server, "deploy", path="sound.onnx").json()
                assert response["compressed_digest"] != first
                assert post(server, "rollback").json()["compressed_digest"] == first
                eventually(lambda seen=seen: len(codes) > seen + 10)  # type: ignore[misc]
        assert set(codes) == {200}
        assert model(server)["compressed_digest"] == first

        def told_of() -> list[dict[str, Any]]:
            return [event for event in events(server) if event["kind"] in {"deployed", "rolled-back"}]

        eventually(lambda: len(told_of()) == 6)
        kinds = [event["kind"] for event in told_of()]
        assert kinds == ["deployed", "rolled-back"] * 3
        change = told_of()[0]
        assert (change["actor"], change["reason"], change["scope"]) == ("tests", "a test asks for it", "model")
        assert change["detail"]["compressed_digest"] == {"before": first, "after": response["compressed_digest"]}
        assert change["detail"]["baseline_digest"]["before"] == change["detail"]["baseline_digest"]["after"]


def test_safe_scope_stays_safe_after_a_deployment(path: Path) -> None:
    """The scope returns by evidence from the new artefact, not by the deployment."""
    with serving(path) as server:
        for seed in range(24):  # each request is one step of evidence
            send(server, seed, harm=True)
        eventually(lambda: model(server)["safe"] == [MINORITY])
        assert post(server, "deploy", path="sound.onnx").status_code == 200
        eventually(lambda: "new-artefact" in [event["kind"] for event in events(server)])
        (response,) = [event for event in events(server) if event["kind"] == "new-artefact"]
        assert (response["scope"], response["detail"]["after"]["trial"]) == (MINORITY, True)
        assert model(server)["safe"] == [MINORITY]
        seed, deadline = 100, time.monotonic() + 60
        while model(server)["safe"]:
            send(server, seed := seed + 1, harm=True)  # the new artefact passes the rows that the old one failed
            assert time.monotonic() < deadline
        assert [event["kind"] for event in events(server)][-1] == "recovered"


def test_deployment_survives_a_restart(path: Path) -> None:
    """The state names the new file and overrides the configuration; a rollback is not possible any more."""
    with serving(path) as server:
        digest = post(server, "deploy", path="sound.onnx").json()["compressed_digest"]
    response = json.loads((path.parent / "state" / DEPLOYED_FILE).read_text())
    assert response["m"]["compressed"] == str(path.parent / "sound.onnx")
    with serving(path) as server:
        assert model(server)["compressed_digest"] == digest
        assert post(server, "rollback").status_code == 400
        send(server, 0, harm=False)


def test_switch_without_a_disk_takes_effect(path: Path) -> None:
    """A full disk does not prevent a rollback: the status is 200, and the response and the audit trail say that it will
    not survive a restart.
    """
    with serving(path) as server:
        first = model(server)["compressed_digest"]
        obstacle = path.parent / "state" / f"{DEPLOYED_FILE}.draft"
        obstacle.mkdir()
        response = post(server, "deploy", path="sound.onnx")
        assert (response.status_code, response.json()["kept"]) == (200, False)
        assert model(server)["compressed_digest"] == response.json()["compressed_digest"] != first
        assert post(server, "rollback").json()["compressed_digest"] == first
        assert post(server, "deploy", path="sound.onnx").json()["kept"] is False
        obstacle.rmdir()
        assert post(server, "rollback").json()["kept"] is True
        assert model(server)["compressed_digest"] == first
        eventually(lambda: len([e for e in events(server) if e["kind"] == "rolled-back"]) == 2)
        switches = [e["detail"]["kept"] for e in events(server) if e["kind"] in {"deployed", "rolled-back"}]
        assert switches == [False, False, False, True]


def test_deployments_are_rolled_back_in_reverse_order(path: Path) -> None:
    """Both roles can be deployed; the latest deployment is undone first."""
    classifier(path.parent / "base.onnx", np.float32(0.99) * BASELINE)
    roles = "baseline_digest", "compressed_digest"
    with serving(path) as server:
        seen = [tuple(model(server)[key] for key in roles)]
        for role, file in (("baseline", "base.onnx"), ("compressed", "sound.onnx")):
            response = post(server, "deploy", role=role, path=file).json()
            seen.append(tuple(response[key] for key in roles))
        assert len({baseline for baseline, _ in seen}) == len({compressed for _, compressed in seen}) == 2
        for expected in (seen[1], seen[0]):
            response = post(server, "rollback").json()
            assert tuple(response[key] for key in roles) == expected
        assert post(server, "rollback").status_code == 400


def test_file_with_another_signature_is_refused(path: Path) -> None:
    """The error names the difference, and nothing changes."""
    classifier(path.parent / "wide.onnx", np.ones((4, 3), np.float32))
    with serving(path) as server:
        before = model(server)
        answer = post(server, "deploy", path="wide.onnx")
        assert answer.status_code == 400
        assert "models.m.compressed: output 'probabilities' is FP32[-1, 3]" in answer.json()["error"]
        assert model(server) == before
    assert not (path.parent / "state" / DEPLOYED_FILE).exists()


@pytest.mark.parametrize("fixed", [False, True], ids=["batches", "one row at a time"])
def test_model_that_fails_the_golden_rows_is_refused(tmp_path: Path, *, fixed: bool) -> None:
    """A file that loads and returns NaN is refused before any caller gets such an answer; a sound one is accepted."""
    names = ("sound.onnx", "nan.onnx")
    for name, factor in zip(names, (1.01, np.nan), strict=True):
        classifier(tmp_path / name, np.float32(factor) * BASELINE)
    (tmp_path / "golden.csv").write_text("left,right,group,harm\n1,0,0,0\n0,1,1,0\n")
    path = write_config(tmp_path, config(tmp_path, golden="golden.csv"))
    for name in ("baseline.onnx", "compressed.onnx", *names) if fixed else ():
        _one_row(tmp_path / name)
    with serving(path) as server:
        answer = post(server, "deploy", path="nan.onnx")
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": "models.m.compressed: 2 golden rows have no readable answer"},
        )
        assert post(server, "deploy", path="sound.onnx").status_code == 200


def _one_row(path: Path) -> None:
    import onnx

    made = onnx.load(path)
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(made, path)


UNREADABLE = ["", "{", "[]", '"m"', "\x00", '{"m": {}}', '{"m": []}', '{"m": {"baseline": 1, "compressed": 2}}']


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_deployments_file_is_one_error(path: Path, text: str) -> None:
    """The error names the file and the remedy."""
    settings = load(path, {})
    settings.state.folder.mkdir()
    (settings.state / DEPLOYED_FILE).write_text(text)
    with pytest.raises(ConfigError) as caught:
        with_deployed(settings)
    (problem,) = caught.value.problems
    assert problem.startswith(f"{settings.state / DEPLOYED_FILE}: not a list of deployed artefacts: ")
    assert problem.endswith("; remove it to start anew")


def test_server_with_an_unreadable_deployments_file_exits(path: Path) -> None:
    """One line on stderr, exit code 1."""
    (path.parent / "state").mkdir()
    (path.parent / "state" / DEPLOYED_FILE).write_bytes(b"\xff")
    ended = tightrope("run", path)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert "deployed.json: not a list of deployed artefacts" in line


def test_deployment_of_a_removed_model_is_ignored(path: Path) -> None:
    """The other models' deployments still count."""
    settings = load(path, {})
    settings.state.folder.mkdir()
    (settings.state / DEPLOYED_FILE).write_text(json.dumps({"gone": {"baseline": "/b.onnx", "compressed": "/c.onnx"}}))
    assert with_deployed(settings) == settings


def test_harmful_artefact_can_be_deployed(path: Path) -> None:
    """The monitors judge harm; a deployment refuses only what cannot answer."""
    classifier(path.parent / "worse.onnx", np.float32(2) * COMPRESSED)
    with serving(path) as server:
        assert post(server, "deploy", path="worse.onnx").status_code == 200
