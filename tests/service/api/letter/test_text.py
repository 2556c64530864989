"""The plain letter of the simulated week, word by word."""

from pathlib import Path
from typing import Any

from tests.support.week.simulated import simulated_week
from tightrope.service.api.letter.text import LINE_WIDTH, week_text

GOLDEN = Path(__file__).with_name("golden_letter.txt")


def test_letter_of_the_simulated_week_is_the_golden_one(document: dict[str, Any]) -> None:
    """A changed word is a changed letter: look at the file, then write it anew."""
    assert week_text(document) == GOLDEN.read_text()


def test_lines_fit_a_mail(tmp_path: Path) -> None:
    """Also those of long names; no character steers a terminal."""
    with simulated_week(tmp_path, owner="team \x1b[31m" + "x" * 90) as week:
        text = week_text(week.document())
    assert "\x1b" not in text
    assert all(len(line) <= LINE_WIDTH for line in text.splitlines() if " " in line.strip() and "team" not in line)


def test_signed_decision_has_its_word(document: dict[str, Any]) -> None:
    """And a letter without decisions says so."""
    signed = {**document["decisions"][0], "signed": {"actor": "Ann", "reason": "trained anew", "at": 0.0}}
    text = " ".join(week_text({**document, "decisions": [signed]}).split())
    assert "Signed off by Ann: trained anew" in text
    assert "No decision is due." in week_text({**document, "decisions": []})
