"""The monitor of clear rows before and after its margin is known."""

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.clear_rows.clear_margin import ClearDisagreement
from tightrope.monitors.definitions.clear_monitor import clear_above, learns_margin

CLEAR, OTHER = CATALOGUE["clear_disagreement"], CATALOGUE["disagreement"]


def test_only_the_monitor_of_clear_rows_learns_a_margin() -> None:
    """With one it learns no more, and keeps it."""
    known = clear_above(CLEAR, 0.25)
    assert known.observe == ClearDisagreement(0.25)
    assert [learns_margin([each]) for each in (CLEAR, OTHER, known)] == [True, False, False]
    assert clear_above(OTHER, 0.25) is OTHER
    assert clear_above(known, 0.5) is known


def test_subgroups_have_five_times_the_limit() -> None:
    """The limits of the criterion of the same name."""
    assert (CLEAR.limit, CLEAR.limit * CLEAR.subgroup_factor) == (0.01, 0.05)
