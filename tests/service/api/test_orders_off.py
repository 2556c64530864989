"""Control without a token is off; a token file has precedence over the environment."""

from pathlib import Path

from tests.support.configs import write_config
from tests.support.servers import serving
from tests.support.serving.model_pairs import CALM, sure_and_unsure
from tests.support.serving.service_harness import AUTH, body

ORDER = {"reason": "a test asks for it", "actor": "tests"}


def test_control_is_off_without_a_token(tmp_path: Path) -> None:
    """403 for any header, with how to switch it on; inference works."""
    config = write_config(tmp_path, {"models": {"m": {**sure_and_unsure(tmp_path), **CALM}}})
    with serving(config, {"TIGHTROPE_CONTROL_TOKEN": ""}) as server:
        for headers in ({}, AUTH, {"Authorization": "Bearer"}):
            answer = server.client.post("/v1/models/m/force-safe", json=ORDER, headers=headers)
            assert answer.status_code == 403
            error = "control is off: set TIGHTROPE_CONTROL_TOKEN or server.control_token_file"
            assert answer.json() == {"error": error}
        assert server.client.post("/v2/models/m/infer", json=body([[0.0, 1.0]])).status_code == 200


def test_token_file_has_precedence_over_the_environment(tmp_path: Path) -> None:
    """A mounted secret is deliberate."""
    (tmp_path / "token").write_text("from-the-file\n")
    models = {"m": {**sure_and_unsure(tmp_path), **CALM}}
    config = write_config(tmp_path, {"models": models, "server": {"port": 0, "control_token_file": "token"}})
    with serving(config) as server:
        answers = [
            server.client.post("/v1/models/m/force-safe", json=ORDER, headers={"Authorization": f"Bearer {token}"})
            for token in (AUTH["Authorization"].split()[1], "from-the-file")
        ]
    assert [answer.status_code for answer in answers] == [401, 200]
