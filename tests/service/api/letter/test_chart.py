"""The chart draws figures to one scale, and a question mark where a figure is missing."""

import re
from xml.etree import ElementTree as ET

import pytest

from tightrope.service.api.letter.chart import chart


def point(week: str, saved: float | None, spent: float | None) -> dict[str, object]:
    """A week of the chart."""
    return {"week": week, "saved_hours": saved, "safety_hours": spent}


def heights(drawn: str, name: str) -> list[float]:
    """The heights of the bars of a class, without that of the legend."""
    return [float(each) for each in re.findall(rf'<rect class="{name}"[^>]*height="([\d.]+)"', drawn)][1:]


def test_bars_are_in_proportion() -> None:
    """Saved and spent have one scale, over all weeks."""
    drawn = chart([point("2026-W47", 4.0, 1.0), point("2026-W48", 2.0, 0.5)])
    saved, spent = heights(drawn, "saved"), heights(drawn, "safety")
    assert saved[0] / saved[1] == pytest.approx(2.0, rel=0.01)
    assert saved[0] / spent[0] == pytest.approx(4.0, rel=0.01)
    assert ">4.0 hours<" in drawn


def test_week_without_figures_has_a_question_mark() -> None:
    """It has no bar; a figure that is not known beside one that is has its own mark."""
    drawn = chart([point("2026-W47", None, None), point("2026-W48", 2.0, None)])
    assert drawn.count(">?<") == 2
    assert len(heights(drawn, "saved")) == 1
    assert heights(drawn, "safety") == []


def test_loss_is_drawn_below_the_line() -> None:
    """A small model that takes longer than the full one has a bar downwards."""
    drawn = chart([point("2026-W48", -2.0, 1.0)])
    (line,) = re.findall(r'class="axis"[^>]*y1="([\d.]+)"', drawn)
    tops = [float(each) for each in re.findall(r'<rect class="saved" x="[\d.]+" y="([\d.]+)"', drawn)]
    assert tops[-1] == float(line)
    assert heights(drawn, "saved")[0] > heights(drawn, "safety")[0]


def test_chart_is_well_formed_and_says_all_in_words() -> None:
    """For readers that do not see it; without a style of its own, which the policy forbids."""
    drawn = chart([point("2026-W47", None, None), point("2026-W48", 2.0, 0.5)])
    root = ET.fromstring(drawn)  # noqa: S314 - our own
    assert root.attrib["aria-label"] == (
        "2026-W47: saved by the small model not known, spent on safety not known; "
        "2026-W48: saved by the small model 2.0 hours, spent on safety 30 minutes"
    )
    assert "style" not in drawn
