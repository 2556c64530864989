import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from tightrope.demo_run.board import DemoRun, ScopeProgress, render_board, summary

RUN = DemoRun("good_int8", 0.25, 12_000)
TRIP = {
    "what": "breach",
    "scope": "residence=group_quarters",
    "monitor": "disagreement",
    "at_request": 1443,
    "evidence": 8.712,
    "threshold": 8.498,
    "limit": 0.1,
    "text": "disagreement 24 in 100 (15 to 35, last 200 rows), limit 10; evidence 103 % of what an alarm needs",
}


def text_of(picture: RenderableType, width: int = 190) -> str:
    """Return the text on a terminal without colours, by default a wide one."""
    console = Console(file=io.StringIO(), width=width)
    console.print(picture)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line(picture: RenderableType, begin: str) -> str:
    """Return the only line that begins with a scope."""
    (row_text,) = (row for row in text_of(picture).splitlines() if row.strip("│ ").startswith(f"{begin} "))
    return " ".join(row_text.strip("│ ").split())


def progress(**changes: Any) -> ScopeProgress:  # noqa: ANN401 - any field
    """Return a scope in normal mode."""
    usual = {
        "scope": "sex=male",
        "requests": 1234,
        "disagreement": {"mean": 0.025, "lower": 0.012, "upper": 0.04},
        "evidence": 4.25,
        "budget": 8.5,
        "state": "normal",
        "accuracy": 0.875,
    }
    return ScopeProgress(**{**usual, **changes})


def test_normal_scope_shows_its_evidence_bar() -> None:
    """Requests, disagreement and its interval, half a bar at half the budget, who answers, accuracy."""
    shown = line(render_board(RUN, 3000, [progress()], []), "sex=male")
    assert shown == "sex=male 1,234 2.5 (1-4) ██░░ 50% compressed 87.5%"


@pytest.mark.parametrize(("evidence", "filled"), [(-3.0, 0), (0.0, 0), (4.25, 2), (8.5, 4), (40.0, 4)])
def test_bar_is_clipped(evidence: float, filled: int) -> None:
    """Negative evidence is an empty bar, evidence over the budget a full one; the number is shown as it is."""
    shown = line(render_board(RUN, 1, [progress(evidence=evidence)], []), "sex=male")
    assert (shown.count("█"), shown.count("░")) == (filled, 4 - filled)
    assert f"{100 * max(evidence, 0) / 8.5:.0f}%" in shown


def test_row_fits_into_80_columns() -> None:
    """Each scope has one line, and nothing is cut."""
    disagreement = {"mean": 0.57, "lower": 0.29, "upper": 0.83}
    widest = progress(scope="disability=with_disability", requests=12_345, disagreement=disagreement, evidence=9.0)
    shown = text_of(render_board(RUN, 3000, [widest, progress(accuracy=1.0)], []), width=80)
    lines = [" ".join(row.strip("│ ").split()) for row in shown.splitlines()]
    assert "disability=with_disability 12,345 57 (29-83) ████ 106% compressed 87.5%" in lines
    assert "sex=male 1,234 2.5 (1-4) ██░░ 50% compressed 100.0%" in lines


@pytest.mark.parametrize("state", ["safe", "latched"])
def test_scope_that_tripped_is_answered_by_the_baseline(state: str) -> None:
    """The bar is replaced by a word."""
    shown = line(render_board(RUN, 1, [progress(state=state)], []), "sex=male")
    assert shown == "sex=male 1,234 2.5 (1-4) tripped baseline 87.5%"


def test_scope_without_rows_shows_dashes() -> None:
    """There is no division by zero, and unknown values are dashes."""
    empty = progress(requests=0, disagreement=None, evidence=0.0, accuracy=None)
    assert line(render_board(RUN, 0, [empty], []), "sex=male").split() == [
        *("sex=male", "0", "-", "░" * 4, "0%", "compressed", "-")
    ]


def test_title_has_the_model_and_the_progress() -> None:
    """The title has the share that the shadow sees."""
    shown = text_of(render_board(RUN, 3000, [], []))
    assert "good_int8 on trial, the shadow sees 25% of 3,000 of 12,000 requests" in shown
    assert "No alarm: every subgroup is within its limits." in shown


def test_board_lists_every_trip() -> None:
    """Request, scope and the words of each trip."""
    shown = " ".join(text_of(render_board(RUN, 3000, [], [TRIP])).split())
    assert f"request 1,443 residence=group_quarters {TRIP['text']}: the baseline answers" in shown
    assert "No alarm" not in shown


def test_board_lists_every_return() -> None:
    """Request, scope and the words of each return."""
    text = "disagreement 1 in 100 (0.5 to 4, last 900 rows), limit 10"
    returned = {**TRIP, "what": "recovered", "recovery": 3.808, "text": text}
    shown = " ".join(text_of(render_board(RUN, 3000, [], [TRIP, returned])).split())
    assert f"request 1,443 residence=group_quarters {text}: it is back on the compressed model" in shown


def test_summary_compares_before_and_after() -> None:
    """Each scope has a line with its accuracies and who answered; dashes where there was no switch."""
    result = {
        "model": "bad",
        "requests": 12_000,
        "compared": 11_000,
        "seconds": 16.7,
        "trips": [TRIP],
        "accuracy": {
            "model": {"before": 0.7818, "after": None, "baseline": 0.7867},
            "residence=group_quarters": {"before": 0.6, "after": 0.677, "baseline": 0.677},
        },
        "served_by": {
            "model": {"baseline": 1516, "compressed": 10_484},
            "residence=group_quarters": {"baseline": 1263, "compressed": 30},
        },
    }
    table = summary(result)
    assert "12,000 requests, 11,000 compared, 16.7 s" in text_of(table)
    assert line(table, "model") == "model 78.2% - 78.7% 10,484 1,516"
    assert line(table, "residence=group_quarters") == "residence=group_quarters 60.0% 67.7% 67.7% 30 1,263"


def test_scope_without_requests_is_left_out() -> None:
    """A line for values that the traffic lacks would only hide the others; before the first request all are shown."""
    scopes = [progress(), progress(scope="sex=other", requests=0)]
    assert "sex=other" not in text_of(render_board(RUN, 3000, scopes, []))
    assert "sex=other" in text_of(render_board(RUN, 0, scopes, []))
