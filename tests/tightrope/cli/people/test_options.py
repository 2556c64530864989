"""Times, arguments and cells of commands that ask a gateway."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from tightrope.cli.people.options import moment, printable, split_words, tsv_line

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("90s", 11.975), ("15m", 11.75), ("2h", 10), ("0.5h", 11.5), ("1d", -12), ("1w", -156)],
)
def test_age_counts_from_now(text: str, hours: float) -> None:
    """In seconds, minutes, hours, days or weeks."""
    midnight = NOON.replace(hour=0).timestamp()
    assert moment(text, "--since", NOON) == midnight + 3600 * hours


def test_time_without_an_offset_is_utc() -> None:
    """One with an offset keeps it."""
    assert moment("2026-11-30T12:00", "--since") == NOON.timestamp()
    assert moment("2026-11-30T13:00+01:00", "--since") == NOON.timestamp()
    assert moment(None, "--since") is None
    with pytest.raises(typer.BadParameter, match="--until: is 'soon'; it must be an age as 2h"):
        moment("soon", "--until")


def test_configuration_is_the_first_word_without_an_address() -> None:
    """And with one it has no place."""
    assert split_words(["c.yaml", "m", "a=b"], ("MODEL", "SCOPE"), has_url=False) == (Path("c.yaml"), ["m", "a=b"])
    assert split_words(["m", "a=b"], ("MODEL", "SCOPE"), has_url=True) == (None, ["m", "a=b"])
    with pytest.raises(typer.BadParameter, match="give CONFIG MODEL SCOPE, or --url"):
        split_words(["m", "a=b"], ("MODEL", "SCOPE"), has_url=False)
    with pytest.raises(typer.BadParameter, match="give MODEL SCOPE"):
        split_words(["c.yaml", "m", "a=b"], ("MODEL", "SCOPE"), has_url=True)


def test_cells_hold_no_tab_and_no_escape() -> None:
    """A line stays a line, and a terminal is not steered."""
    assert tsv_line(["a\tb", None, 3, "c\nd"]) == "a b\t\t3\tc d"
    assert printable("x\x1b]0;title\x07") == "x ]0;title "
