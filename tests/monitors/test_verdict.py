"""A breach outweighs an error, an error outweighs the intervals, and a pass has to be earned."""

from itertools import product

import pytest

from tightrope.monitors.records import Outcome
from tightrope.monitors.verdict import decide_outcome


@pytest.mark.parametrize(("breached", "faulty", "beyond", "earned"), list(product((True, False), repeat=4)))
def test_the_worst_that_applies_is_the_outcome(*, breached: bool, faulty: bool, beyond: bool, earned: bool) -> None:
    """A pass is the outcome when no other applies, and missing evidence is no health."""
    worst = [Outcome.BREACH] * breached + [Outcome.ERROR] * faulty + [Outcome.WATCH] * beyond
    worst += [Outcome.PASS if earned else Outcome.INSUFFICIENT]
    assert decide_outcome(breached=breached, faulty=faulty, beyond=beyond, earned=earned) is worst[0]
