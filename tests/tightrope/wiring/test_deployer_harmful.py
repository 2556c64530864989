"""A rollback to an artefact that was proven harmful."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.servers import serving
from tests.support.serving.service_harness import eventually
from tests.tightrope.wiring.test_deployer import INFER, events, model, post, send


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration in a folder of its own, with a sound artefact ``sound.onnx`` beside the harmful one."""
    classifier(tmp_path / "sound.onnx", np.float32(1.01) * BASELINE)
    return write_config(tmp_path, config(tmp_path))


def test_rollback_to_a_harmful_artefact_serves_it_to_no_harmed_row(path: Path) -> None:
    """From the first request on the baseline answers those whom it harmed, by a decision with a reason."""
    with serving(path) as server:
        for seed in range(40):
            send(server, seed, harm=True)
            if model(server)["scopes"][MINORITY] == "safe":
                break
        assert post(server, "deploy", path="sound.onnx").status_code == 200
        for seed in range(40, 200):
            send(server, seed, harm=True)
            if model(server)["scopes"][MINORITY] == "normal":
                break
        row = request(traffic(1, harm=True)[0])
        assert server.client.post(INFER, json=row).json()["parameters"]["served_by"] == "compressed"
        assert post(server, "rollback").status_code == 200
        assert server.client.post(INFER, json=row).json()["parameters"]["served_by"] == "baseline"
        eventually(lambda: "known-harm" in {event["kind"] for event in events(server)})
        assert model(server)["scopes"][MINORITY] == "safe"
        (known,) = [event for event in events(server) if event["kind"] == "known-harm"]
        assert (known["scope"], known["reason"]) == (MINORITY, "this pair breached disagreement when it served before")
        assert server.client.post(INFER, json=row).json()["parameters"]["served_by"] == "baseline"
