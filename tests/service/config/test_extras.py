"""A key whose library is missing is told with the extra that brings it."""

from pathlib import Path

import pytest

from tests.support.configs import write_config
from tightrope.service.config.extras import missing_extras
from tightrope.service.config.loader import load


def test_missing_library_is_told_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line a key; nothing is missing where no key asks for it."""
    document = {
        "models": {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}},
        "server": {"grpc_port": 0},
        "telemetry": {"otlp_endpoint": "http://c:4318"},
    }
    settings = load(write_config(tmp_path, document), {})
    assert missing_extras(settings) == []
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert missing_extras(settings) == [
        "server.grpc_port: gRPC needs more: pip install 'tightrope[grpc]'",
        "telemetry.otlp_endpoint: traces need more: pip install 'tightrope[otel]'",
    ]
    assert missing_extras(load(write_config(tmp_path, {"models": document["models"]}), {})) == []


def test_package_above_a_missing_one_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python raises then."""

    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    document = {
        "models": {"m": {"baseline": "b.onnx", "compressed": "c.onnx"}},
        "telemetry": {"otlp_endpoint": "http://c:4318"},
    }
    monkeypatch.setattr("importlib.util.find_spec", absent)
    assert len(missing_extras(load(write_config(tmp_path, document), {}))) == 1
