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
}


def text_of(picture: RenderableType) -> str:
    """Return the text on a wide terminal without colours."""
    console = Console(file=io.StringIO(), width=150)
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
        "compared": 400,
        "disagreement": 0.025,
        "evidence": 4.25,
        "budget": 8.5,
        "state": "normal",
        "accuracy": 0.875,
    }
    return ScopeProgress(**{**usual, **changes})


def test_normal_scope_shows_its_evidence_bar() -> None:
    """Requests, comparisons, disagreement, half a bar at half the budget, who answers, accuracy."""
    shown = line(render_board(RUN, 3000, [progress()], []), "sex=male")
    assert shown == "sex=male 1,234 400 2.5% ████████░░░░░░░░ 4.2 / 8.5 compressed 87.5%"


@pytest.mark.parametrize(("evidence", "filled"), [(-3.0, 0), (0.0, 0), (4.25, 8), (8.5, 16), (40.0, 16)])
def test_bar_is_clipped(evidence: float, filled: int) -> None:
    """Negative evidence is an empty bar, evidence over the budget a full one; the number is shown as it is."""
    shown = line(render_board(RUN, 1, [progress(evidence=evidence)], []), "sex=male")
    assert (shown.count("█"), shown.count("░")) == (filled, 16 - filled)
    assert f"{max(evidence, 0):.1f} / 8.5" in shown


@pytest.mark.parametrize("state", ["safe", "latched"])
def test_scope_that_tripped_is_answered_by_the_baseline(state: str) -> None:
    """The bar is replaced by a word."""
    shown = line(render_board(RUN, 1, [progress(state=state)], []), "sex=male")
    assert shown == "sex=male 1,234 400 2.5% tripped baseline 87.5%"


def test_scope_without_rows_shows_dashes() -> None:
    """There is no division by zero, and unknown values are dashes."""
    empty = progress(requests=0, compared=0, disagreement=None, evidence=0.0, accuracy=None)
    assert line(render_board(RUN, 0, [empty], []), "sex=male").split() == [
        *("sex=male", "0", "0", "-", "░" * 16, "0.0", "/", "8.5", "compressed", "-")
    ]


def test_title_has_the_model_and_the_progress() -> None:
    """The title has the share that the shadow sees."""
    shown = text_of(render_board(RUN, 3000, [], []))
    assert "good_int8 on trial, the shadow sees 25% of 3,000 of 12,000 requests" in shown
    assert "No alarm: every subgroup is within its limits." in shown


def test_board_lists_every_trip() -> None:
    """Request, scope, monitor and evidence of each trip."""
    shown = " ".join(text_of(render_board(RUN, 3000, [], [TRIP])).split())
    assert "request 1,443 residence=group_quarters disagreement over 0.1, evidence 10^8.7 of 10^8.5" in shown
    assert "No alarm" not in shown


def test_board_lists_every_return() -> None:
    """Request, scope and evidence of each return."""
    returned = {**TRIP, "what": "recovered", "recovery": 3.808}
    shown = " ".join(text_of(render_board(RUN, 3000, [], [TRIP, returned])).split())
    assert "request 1,443 residence=group_quarters disagreement proved within 0.1, evidence 10^3.8" in shown
    assert "it is back on the compressed model" in shown


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
