"""A mode tells whether an operator's order is all that keeps its scope on the baseline."""

from collections.abc import Sequence

import pytest

from tightrope.monitors.safemode import Input, Mode, Policy, next_mode

NOW = 50_000.0


def after(inputs: Sequence[Input]) -> Mode:
    """The mode of a new scope after these inputs, a second apart."""
    mode = Mode()
    for number, trigger in enumerate(inputs):
        mode = next_mode(mode, trigger, NOW + number, Policy())
    return mode


FORCED, RELEASED = Input.FORCE_SAFE, Input.RELEASE


@pytest.mark.parametrize(
    ("inputs", "by_order"),
    [
        ((FORCED,), True),
        ((FORCED, RELEASED), True),
        ((FORCED, Input.DWELL_ELAPSED, Input.NEW_ARTEFACT, RELEASED), True),
        ((FORCED, Input.FORCE_NORMAL), False),
        ((FORCED, RELEASED, Input.DWELL_ELAPSED, Input.RECOVERED), False),
        ((FORCED, Input.BREACH), True),
        ((FORCED, Input.BREACH, RELEASED), False),
        ((FORCED, RELEASED, Input.BREACH), False),
        ((FORCED, RELEASED, Input.BLIND), False),
        ((FORCED, RELEASED, Input.KNOWN_HARM), False),
        ((FORCED, RELEASED, Input.UNREADABLE), False),
        ((Input.WITHHELD,), True),
        ((Input.WITHHELD, Input.BREACH), False),
        ((Input.BREACH, Input.WITHHELD), False),
        ((Input.BREACH,), False),
        ((Input.BREACH, FORCED), True),
        ((Input.BREACH, FORCED, RELEASED), False),
        ((Input.FORCE_NORMAL, Input.BREACH, RELEASED), False),
    ],
)
def test_scope_is_safe_by_order_until_something_else_speaks_against_it(
    inputs: Sequence[Input], *, by_order: bool
) -> None:
    """While an operator holds it, or people said so before evidence or blindness did: who signed that a scope is not
    proved need not be called about it.
    """
    assert after(inputs).by_order is by_order
