"""Limits are said as promises; a model that only advises promises less."""

import pytest

from tests.support.week.simulated import Judged, verdict
from tightrope.service.api.week.promises import promises


def test_limits_of_the_model_and_its_groups_are_promises() -> None:
    """As one in ten."""
    assert promises(Judged().verdicts("m"), armed=True) == [
        "At most 1 in 10 answers may differ from those of the full model, over all requests.",
        "At most 1 in 5 answers may differ for any group.",
        "Once there is proof that more differ, the full model answers.",
    ]


def test_groups_with_other_limits_are_named() -> None:
    """The strictest is not said of all."""
    found = promises([verdict("a=b", 0.1, 9), verdict("a=c", 0.2, 9)], armed=True)
    assert found[0] == "At most 1 in 10 answers may differ for any group, for some of them 1 in 5."


@pytest.mark.parametrize("armed", [True, False])
def test_advice_is_no_protection(*, armed: bool) -> None:
    """Nor is a model without such a limit."""
    says = promises([verdict("model", 0.1, 9)], armed=armed)[-1]
    assert ("it changes nothing" in says) is not armed
    assert promises([verdict("model", 0.1, 9, monitor="confidence")], armed=armed) == [
        "No limit for different answers is set."
    ]
