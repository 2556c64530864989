"""Errors for callers when both models failed; test_engine_failures tests how failures are reported."""

import pytest

from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, ServerError, UnavailableError
from tightrope.service.inference.batch import UnreadableError
from tightrope.service.inference.failures import error_for_caller


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RunFailedError("x"), CallerError),
        (UnreadableError("x"), ServerError),
        (UnreachableError("x"), UnavailableError),
    ],
)
def test_error_depends_on_the_last_failure(failure: RunFailedError, kind: type[Exception]) -> None:
    """A failed run is the caller's error, unreadable outputs the server's, an unreachable model means unavailable."""
    error = error_for_caller(failure)
    assert type(error) is kind
    assert str(error).endswith(": x")
