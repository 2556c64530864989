from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tightrope.demo.replay import HERE, MODEL
from tightrope.demo_run.gateway_process import Gateway, started
from tightrope.service.errors import ServerError

TRIED, FIXED = "bad_distilled_households_only", "good_distilled"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One gateway for all that only ask."""
    with started(tmp_path_factory.mktemp("guest"), TRIED, 0.25) as running:
        yield running


def test_gateway_serves_the_model_on_trial(gateway: Gateway) -> None:
    """At the rate that was asked for, with the demo's subgroups."""
    status = gateway.get(f"/v1/models/{MODEL}")
    assert (status["name"], status["sampling"]["rate"]) == (MODEL, 0.25)
    assert "residence=group_quarters" in status["scopes"]


def test_another_model_is_put_in_its_place(gateway: Gateway) -> None:
    """With the token that only the two know, and on record."""
    before = gateway.get(f"/v1/models/{MODEL}")
    gateway.deploy(HERE / f"models/{FIXED}.onnx", "it is better")
    after = gateway.get(f"/v1/models/{MODEL}")
    assert after["baseline_digest"] == before["baseline_digest"]
    assert after["compressed_digest"] != before["compressed_digest"]


def test_refused_deployment_is_an_error_that_says_why(gateway: Gateway, tmp_path: Path) -> None:
    """The gateway's own words."""
    with pytest.raises(ServerError, match=r"gone.onnx could not be deployed: .*models.employment.compressed"):
        gateway.deploy(tmp_path / "gone.onnx", "it is better")


def test_gateway_ends_with_its_block(tmp_path: Path) -> None:
    """Nobody listens any more, whatever went wrong inside."""
    with pytest.raises(KeyError), started(tmp_path, TRIED, 1.0) as running:
        raise KeyError
    with pytest.raises(urllib3.exceptions.HTTPError):
        running.get("/v1/models")


def test_gateway_that_does_not_start_is_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its own line stands above."""
    with pytest.raises(ServerError, match="did not start"), started(tmp_path, "nobody", 1.0):
        pass
    assert "nobody.onnx" in capfd.readouterr().err
