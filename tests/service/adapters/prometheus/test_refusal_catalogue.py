"""The metrics of refusals are part of the catalogue, and their actions are those of the configuration."""

from typing import get_args

from tightrope.service.adapters.prometheus.catalogue import METRICS
from tightrope.service.adapters.prometheus.refusal_catalogue import REFUSAL_ACTIONS, REFUSAL_METRICS
from tightrope.service.config.models import RefusalSection


def test_catalogue_has_the_metrics_of_refusals() -> None:
    """Under the same names."""
    assert REFUSAL_METRICS.items() <= METRICS.items()


def test_actions_are_those_of_the_configuration() -> None:
    """A refusal of another action would make a new series."""
    assert get_args(RefusalSection.model_fields["action"].annotation) == REFUSAL_ACTIONS
