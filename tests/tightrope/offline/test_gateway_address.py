"""The address of a gateway on this machine, from its configuration."""

import pytest

from tightrope.offline.gateway_address import gateway_address
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.process.server import ServerSection


def settings(host: str, port: int = 8080) -> Settings:
    """Settings of a gateway that listens there."""
    return Settings.model_construct(server=ServerSection(host=host, port=port))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),  # noqa: S104 - a configuration's value
        ("::", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("gateway.example", "http://gateway.example:8080"),
    ],
)
def test_address_is_one_that_answers_here(host: str, address: str) -> None:
    """A gateway that listens everywhere is asked on this machine."""
    assert gateway_address(settings(host)) == address


def test_picked_port_is_not_known() -> None:
    """One line says what to give instead."""
    with pytest.raises(ConfigError, match=r"server.port: is 0"):
        gateway_address(settings("127.0.0.1", 0))
