"""What is said when both models failed; how failures are noticed is seen in test_gateway_failures."""

import pytest

from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, ServerError, UnavailableError
from tightrope.service.inference.decisions import UnreadableError
from tightrope.service.inference.failures import refusal


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RunFailedError("x"), CallerError),
        (UnreadableError("x"), ServerError),
        (UnreachableError("x"), UnavailableError),
    ],
)
def test_fault_is_the_callers_the_models_or_the_networks(failure: RunFailedError, kind: type[Exception]) -> None:
    """An input that no model can run on; answers that are none; nobody there."""
    error = refusal(failure)
    assert type(error) is kind
    assert str(error).endswith(": x")
