"""A finding about an output: its sides, its text, its leader."""

from tightrope.offline.initialization.findings import OutputFinding


def test_sides_of_length_one_do_not_count_unless_they_are_free() -> None:
    """A row of [1, 12] is twelve numbers; a free side may be longer tomorrow."""
    assert OutputFinding("p", "f", (1, 12), (1, 12)).wide_sides == (12,)
    assert OutputFinding("p", "f", (1, 12), (-1, 12)).wide_sides == (1, 12)
    assert OutputFinding("p", "f", (), ()).wide_sides == ()


def test_output_is_shown_with_its_sides() -> None:
    """The row first."""
    assert str(OutputFinding("p", "f", (8, 9), (-1, 9))) == "p [rows, 8, 9]"
    assert str(OutputFinding("y", "f", (), ())) == "y [rows]"


def test_leader_wins_nearly_all_places() -> None:
    """A share of nine in ten."""
    assert OutputFinding("p", "f", (8, 9), (8, 9), lead=0.9).has_leader
    assert not OutputFinding("p", "f", (8, 9), (8, 9), lead=0.8).has_leader
