"""The limits of the front door in the configuration: defaults, bounds, and what one limit asks of another."""

from pathlib import Path

import pytest

from tests.service.config.test_loader import MINIMAL, written
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.config.process.limits import LimitsSection

MiB = 1024 * 1024


def test_every_limit_has_a_default(tmp_path: Path) -> None:
    """Half of the connections are a peer's, and eight bodies are in flight."""
    server = load(written(tmp_path, MINIMAL), {}).server
    assert server.limits == LimitsSection()
    assert server.limits.peer_connections == server.limits.connections // 2
    assert server.bytes_in_flight == 8 * server.max_body_bytes


def test_every_limit_is_loaded(tmp_path: Path) -> None:
    """No key is lost."""
    limits: dict[str, float] = dict.fromkeys(LimitsSection.model_fields, 300) | {
        "header_bytes": 2048, "bytes_in_flight": 32 * MiB, "decodings": 3, "json_depth": 9,
    }  # fmt: skip
    loaded = load(written(tmp_path, f"{MINIMAL}server: {{limits: {limits}}}\n"), {}).server
    assert loaded.limits.model_dump() == limits
    assert (loaded.limits.peer_connections, loaded.bytes_in_flight) == (300, 32 * MiB)


@pytest.mark.parametrize("key", LimitsSection.model_fields)
def test_no_limit_can_be_switched_off(tmp_path: Path, key: str) -> None:
    """Each is a positive number."""
    for value in (0, -1):
        with pytest.raises(ConfigError, match=rf"server\.limits\.{key}: input should be greater than"):
            load(written(tmp_path, f"{MINIMAL}server: {{limits: {{{key}: {value}}}}}\n"), {})


def test_one_body_must_fit_in_flight(tmp_path: Path) -> None:
    """A body of the maximum size would never be taken."""
    text = f"{MINIMAL}server: {{max_body_bytes: {4 * MiB}, limits: {{bytes_in_flight: {4 * MiB - 1}}}}}\n"
    with pytest.raises(ConfigError, match="bytes_in_flight must be at least max_body_bytes, which is 4194304"):
        load(written(tmp_path, text), {})
