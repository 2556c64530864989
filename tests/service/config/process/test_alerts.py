"""Addresses in the section of alerts are those of servers."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.process.alerts import AlertsSection


def test_nobody_is_notified_by_default() -> None:
    """Prometheus alone raises alerts then."""
    assert AlertsSection().alertmanagers == []


@pytest.mark.parametrize(
    "keys", [{"alertmanagers": ["am:9093"]}, {"grafana": "http://g/"}, {"labels": {"a-b": "c"}}, {"keep_seconds": 0}]
)
def test_what_cannot_be_sent_is_refused(keys: dict[str, object]) -> None:
    """An address without a scheme, or with a slash at its end; a label with a dash; an alert that never repeats."""
    with pytest.raises(ValidationError):
        AlertsSection.model_validate(keys)
