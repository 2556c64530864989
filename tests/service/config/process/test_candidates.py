"""The limits of trials: defaults that suit a small server, and values that would try nothing are refused."""

import pytest
from pydantic import ValidationError

from tightrope.service.config.process.candidates import CandidatesSection


def test_defaults_are_bounds() -> None:
    """Without a configuration a candidate can neither run for ever nor take all memory, and few deployments wait."""
    assert CandidatesSection() == CandidatesSection(seconds=120, memory_bytes=4 * 1024**3, waiting=4)


@pytest.mark.parametrize("field", [{"seconds": 0}, {"memory_bytes": 1024}, {"waiting": -1}, {"waiting": 1000}])
def test_useless_limit_is_refused(field: dict[str, float]) -> None:
    """No file can be loaded in no time, nor within less than the interpreter; and threads are few."""
    with pytest.raises(ValidationError):
        CandidatesSection.model_validate(field)
