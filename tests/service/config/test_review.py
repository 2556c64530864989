"""The configuration of the review."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tightrope.service.config.review import ReviewSection


def test_token_files_are_relative_to_the_configuration(tmp_path: Path) -> None:
    """Absolute ones stay."""
    section = ReviewSection.model_validate({"reviewers": {"ana": "ana.token", "bo": "/run/bo"}})
    assert section.resolved(tmp_path).reviewers == {"ana": tmp_path / "ana.token", "bo": Path("/run/bo")}


@pytest.mark.parametrize(
    "wrong",
    [
        {"reviewers": {}},
        {"second": 1.5},
        {"keep_days": 0},
        {"most_rows": 0},
        {"per_group_daily": 0},
        {"least_probability": 0.04},
    ],
)
def test_values_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    """Each by its key."""
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        ReviewSection.model_validate({"reviewers": {"ana": "ana.token"}, **wrong})


@pytest.mark.parametrize(("disagreements", "random", "least"), [(0.05, 0.01, 0.05), (0.2, 0.01, 0.2), (0.1, 0.3, 0.5)])
def test_cap_that_can_lower_nothing_is_refused(disagreements: float, random: float, least: float) -> None:
    """The message names what would be right; without a cap, no probability is wrong."""
    written = {"reviewers": {"ana": "ana.token"}, "least_probability": least}
    capped = ReviewSection.model_validate({**written, "per_group_daily": 20})
    with pytest.raises(ValueError, match="no probability can be lowered: write a smaller least_probability"):
        capped.require_reachable(disagreements, random)
    ReviewSection.model_validate(written).require_reachable(disagreements, random)
    capped.require_reachable(1.0, random)
