"""A gateway that does not answer is another error than one that refuses."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import config
from tightrope.offline.running_gateway import NoReplyError, RefusedRequestError, RunningGateway
from tightrope.service.config.loader import ConfigError


def test_gateway_of_a_configuration_has_its_port(tmp_path: Path) -> None:
    """And its token, where it has one; a port that the gateway picks is unknown."""
    path = write_config(tmp_path, config(tmp_path) | {"server": {"port": 8123}})
    assert RunningGateway.of(path, None).url == "http://127.0.0.1:8123"
    with pytest.raises(ConfigError, match=r"server\.port: is 0"):
        RunningGateway.of(write_config(tmp_path, config(tmp_path) | {"server": {"port": 0}}), None)


def test_gateway_without_an_answer_is_named() -> None:
    """By its address."""
    with pytest.raises(NoReplyError, match=r"http://127\.0\.0\.1:9: .*refused"):
        RunningGateway("http://127.0.0.1:9").get("/v1/overview", model="m")


def test_order_without_a_token_is_not_sent() -> None:
    """The error names the variable."""
    with pytest.raises(RefusedRequestError, match="TIGHTROPE_CONTROL_TOKEN: is not set"):
        RunningGateway("http://127.0.0.1:9").order("/v1/models/m/release", {})
