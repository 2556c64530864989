"""The configuration of the review."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tightrope.service.config.review import ReviewSection


def test_token_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """Absolute ones stay."""
    section = ReviewSection.model_validate({"reviewers": {"ana": "ana.token", "bo": "/run/bo"}})
    assert section.resolved(tmp_path).reviewers == {"ana": tmp_path / "ana.token", "bo": Path("/run/bo")}


@pytest.mark.parametrize("wrong", [{"reviewers": {}}, {"second": 1.5}, {"keep_days": 0}, {"most_rows": 0}])
def test_values_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """Each by its key."""
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ReviewSection.model_validate({"reviewers": {"ana": "ana.token"}, **wrong})
