"""Nothing is exported unless a collector is named."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.process.telemetry import TelemetrySection


def test_nothing_is_exported_by_default() -> None:
    """No request begins a trace, and none is sent."""
    section = TelemetrySection()
    assert (section.otlp_endpoint, section.root_share) == (None, 0.0)


@pytest.mark.parametrize(
    "keys", [{"otlp_endpoint": "collector:4318"}, {"otlp_endpoint": "http://c:4318/"}, {"root_share": 1.1}]
)
def test_what_is_no_address_or_share_is_refused(keys: dict[str, object]) -> None:
    """Before anything starts."""
    with pytest.raises(ValidationError):
        TelemetrySection.model_validate(keys)
