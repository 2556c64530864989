"""Errors for callers when both models failed; test_engine_failures tests how failures are reported."""

import pytest

from tightrope.service.adapters.ports import NotQualifiedError, RunFailedError, UnreachableError
from tightrope.service.errors import CallerError, UnavailableError
from tightrope.service.inference.failures import error_for_caller


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RunFailedError("x"), CallerError),
        (UnreachableError("x"), UnavailableError),
    ],
)
def test_error_depends_on_the_last_failure(failure: RunFailedError, kind: type[Exception]) -> None:
    """A failed run is the caller's error; an unreachable model means unavailable; one that may not answer, nothing."""
    for error in (error_for_caller(RunFailedError("y"), failure), error_for_caller(failure, NotQualifiedError("y"))):
        assert type(error) is kind
        assert str(error).endswith(": x")
