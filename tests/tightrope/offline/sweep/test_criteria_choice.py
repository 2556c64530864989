from pathlib import Path

import pytest

from tests.support.qualified_pair import plan_for, sided_settings
from tightrope.offline.sweep.criteria_choice import only_criteria
from tightrope.service.config.loader import ConfigError


def test_the_named_criteria_stay_in_their_order(tmp_path: Path) -> None:
    """None named leaves all; the digest covers those that stay."""
    plan = plan_for(sided_settings(tmp_path))
    some = only_criteria(plan, ["class_miss", "disagreement"])
    assert [each.name for each in some.criteria] == ["disagreement", "class_miss"]
    assert some.digest != plan.digest
    assert only_criteria(plan, []) is plan


def test_an_unknown_criterion_is_refused(tmp_path: Path) -> None:
    """With the nearest one."""
    with pytest.raises(ConfigError, match=r"there is no disagrement .* disagreement"):
        only_criteria(plan_for(sided_settings(tmp_path)), ["disagrement"])
