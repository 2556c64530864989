"""A real server with a statement of qualification: it withholds, refuses a deployment, and serves the baseline."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.support.commands import tightrope
from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, MINORITY, config, request
from tests.support.onnx_models import classifier
from tests.support.qualification_files import statement_for, write_statement
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import AUTH, eventually
from tightrope.service.statements.bundle import write_bundle

INFER = "/v2/models/m/infer"
MINOR, MAJOR = [1, 0, 1, 0], [1, 0, 0, 0]


def written(folder: Path, **qualification: object) -> Path:
    """Write a configuration with a qualification, and no limit of its own."""
    silent: dict[str, Any] = {"limits": {}, "subgroup_limits": {}, "mode": None}
    return write_config(folder, config(folder, qualification={"require": True, **qualification}, **silent))


def served_by(server: Server, row: list[int]) -> str:
    """The role that answers a row."""
    answer = server.client.post(INFER, json=request(np.array([row], np.float32))).json()
    return str(answer["parameters"]["served_by"])


def deploy(server: Server, **fields: object) -> httpx.Response:
    """Request a deployment."""
    body = {"reason": "a test asks for it", "actor": "tests", **fields}
    return server.client.post("/v1/models/m/deploy", json=body, headers=AUTH)


def test_server_withholds_and_refuses_what_is_not_qualified(tmp_path: Path) -> None:
    """The old pair serves on; an artefact with a statement of its own is deployed, and survives a restart."""
    path = written(tmp_path)
    write_statement(path, withheld=[MINORITY])
    classifier(tmp_path / "sound.onnx", np.float32(1.01) * BASELINE)
    with serving(path) as server:
        assert [served_by(server, MINOR), served_by(server, MAJOR)] == ["baseline", "compressed"]
        before = server.client.get("/v1/models/m").json()
        assert (before["scopes"][MINORITY], before["qualification"]["withheld"]) == ("safe", [MINORITY])
        refused = deploy(server, path="sound.onnx")
        assert refused.status_code == 400
        assert refused.json()["error"] == (f"models.m.qualification: {tmp_path}/sound.onnx.intoto.jsonl: is missing")
        refused = deploy(server, path="sound.onnx", qualification="compressed.onnx.intoto.jsonl")
        assert (refused.status_code, "but compressed is" in refused.json()["error"]) == (400, True)
        assert server.client.get("/v1/models/m").json()["compressed_digest"] == before["compressed_digest"]
        assert served_by(server, MAJOR) == "compressed"
        other = write_config(tmp_path / "other", config_of_sound(tmp_path))
        write_bundle(tmp_path / "sound.jsonl", [statement_for(other, withheld=[MINORITY])])
        assert deploy(server, path="sound.onnx", qualification="sound.jsonl").status_code == 200
        assert [served_by(server, MINOR), served_by(server, MAJOR)] == ["baseline", "compressed"]
        after = server.client.get("/v1/models/m").json()["qualification"]
        assert after["file"] == str(tmp_path / "sound.jsonl")
        assert after["statement"] != before["qualification"]["statement"]
    with serving(path) as server:
        assert server.client.get("/v1/models/m").json()["qualification"] == after


def config_of_sound(folder: Path) -> dict[str, Any]:
    """The configuration with the sound artefact as its compressed model."""
    (folder / "other").mkdir()
    changes: dict[str, Any] = {"compressed": str(folder / "sound.onnx"), "baseline": str(folder / "baseline.onnx")}
    return config(folder / "other", qualification={"require": True}, **changes)


def test_baseline_serves_what_is_not_qualified(tmp_path: Path) -> None:
    """The server is ready, the compressed model runs in the shadow alone, and the event says why; a restart with the
    statement brings it back at once.
    """
    path = written(tmp_path, otherwise="baseline")
    with serving(path) as server:
        assert {served_by(server, row) for row in (MINOR, MAJOR)} == {"baseline"}
        ready = server.client.get("/v2/health/ready")
        reason = "not qualified: compressed.onnx.intoto.jsonl: is missing, the baseline answers"
        assert (ready.status_code, ready.json()["models"]["m"]) == (200, reason)
        status = server.client.get("/v1/models/m").json()
        assert (set(status["scopes"].values()), status["qualification"]["verdict"]) == ({"safe"}, "unqualified")
        eventually(lambda: '_comparisons_total{model="m",scope="model"} 2.0' in server.client.get("/metrics").text)
        events = server.client.get("/v1/events?model=m").json()["events"]
        assert "unqualified" in [event["kind"] for event in events]
        assert 'tightrope_qualification_info{model="m",verdict="unqualified"} 1.0' in server.client.get("/metrics").text
    write_statement(path)
    with serving(path) as server:
        assert {served_by(server, row) for row in (MINOR, MAJOR)} == {"compressed"}


def test_order_does_not_bring_back_what_is_not_qualified(tmp_path: Path) -> None:
    """The gate stands above orders."""
    path = written(tmp_path, otherwise="baseline")
    with serving(path) as server:
        order = {"scope": "model", "reason": "a test asks for it", "actor": "tests"}
        assert server.client.post("/v1/models/m/force-normal", json=order, headers=AUTH).status_code == 200
        assert served_by(server, MAJOR) == "baseline"


@pytest.mark.parametrize("command", ["run", "check", "serve", "worker", "judge"])
def test_changed_byte_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    """Exit code 1: each member of a cluster checks for itself, before it joins."""
    path = written(tmp_path)
    if command in {"serve", "worker", "judge"}:
        path.write_text(f"{path.read_text()}bus: {{kafka: {{servers: ['127.0.0.1:9']}}}}\n")
    file = write_statement(path)
    compressed = tmp_path / "compressed.onnx"
    content = bytearray(compressed.read_bytes())
    content[content.index(np.float32(30).tobytes())] ^= 1
    compressed.write_bytes(content)
    result = tightrope(command, str(path))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error models.m.qualification: {file}: is for ")


def test_check_shows_the_source_of_each_limit(tmp_path: Path) -> None:
    """That of the statement, and that of the mode."""
    path = written(tmp_path)
    write_statement(path, withheld=[MINORITY])
    shown = tightrope("check", str(path), "--json").stdout
    assert "disagreement <= 0.07 (model, statement), 0.1 (subgroups, statement)" in shown
    assert '"mode from": "statement"' in shown
    assert f"withheld: {MINORITY}" in shown


def test_approval_and_dissent_of_a_key_decide(tmp_path: Path) -> None:
    """Without an approval it is refused, with one it serves, and a dissent ends that until the same key approves."""
    private = Ed25519PrivateKey.generate()
    key, public = tmp_path / "ana.key", tmp_path / "ana.pub"
    key.touch(mode=0o600)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    path = written(tmp_path, keys={"owner": [str(public)]})
    file = write_statement(path)

    def refusal() -> str:
        return tightrope("check", str(path)).stderr

    def sign(*opinion: str) -> None:
        signed = tightrope("approve", str(file), "--key", str(key), "--role", "owner", *opinion)
        assert signed.returncode == 0, signed.stderr

    assert f"models.m.qualification: {file}: is not approved by an owner (0 of 1)" in refusal()
    sign("--note", "seen")
    assert refusal() == ""
    sign("--dissent", "not for them")
    assert 'ana dissents: "not for them" (owner)' in refusal()
    assert tightrope("run", str(path)).returncode == 1
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert "ana dissents" in refusal(), "the line is deleted, and the process that saw it kept it"
    public.unlink()
    assert "ana.pub" in refusal()
