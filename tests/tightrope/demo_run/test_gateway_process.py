from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL
from tightrope.demo_run.gateway_process import HttpGateway, start_gateway
from tightrope.service.errors import ServerError

TRIED, FIXED = "bad_distilled_households_only", "good_distilled"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpGateway]:
    """One gateway for all tests that only read."""
    with start_gateway(tmp_path_factory.mktemp("gateway"), TRIED, 0.25) as running:
        yield running


def test_gateway_serves_the_model_on_trial(gateway: HttpGateway) -> None:
    """It samples at the given rate and has the demo's subgroups."""
    status = gateway.get(f"/v1/models/{DEMO_MODEL}")
    assert (status["name"], status["sampling"]["rate"]) == (DEMO_MODEL, 0.25)
    assert "residence=group_quarters" in status["scopes"]


def test_model_is_replaced(gateway: HttpGateway) -> None:
    """The deployment uses the gateway's token."""
    before = gateway.get(f"/v1/models/{DEMO_MODEL}")
    gateway.deploy(DEMO_FOLDER / f"models/{FIXED}.onnx", "it is better")
    after = gateway.get(f"/v1/models/{DEMO_MODEL}")
    assert after["baseline_digest"] == before["baseline_digest"]
    assert after["compressed_digest"] != before["compressed_digest"]


def test_refused_deployment_is_an_error(gateway: HttpGateway, tmp_path: Path) -> None:
    """The error has the gateway's own message."""
    with pytest.raises(ServerError, match=r"gone.onnx could not be deployed: .*models.employment.compressed"):
        gateway.deploy(tmp_path / "gone.onnx", "it is better")


def test_gateway_ends_with_its_block(tmp_path: Path) -> None:
    """The process stops even if the block fails."""
    with pytest.raises(KeyError), start_gateway(tmp_path, TRIED, 1.0) as running:
        raise KeyError
    with pytest.raises(urllib3.exceptions.HTTPError):
        running.get("/v1/models")


def test_failed_start_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The process's own error is printed first."""
    with pytest.raises(ServerError, match="did not start"), start_gateway(tmp_path, "nobody", 1.0):
        pass
    assert "nobody.onnx" in capfd.readouterr().err
