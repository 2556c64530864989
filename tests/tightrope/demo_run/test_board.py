import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from tightrope.demo_run.board import Board, DemoRun, ScopeProgress

RUN = DemoRun("good_int8", 0.25, 12_000)
TRIP = {
    "what": "breach",
    "scope": "residence=group_quarters",
    "at_request": 1443,
    "observation": "57 % (29 to 83 %) of answers differ",
}
RETURN = {**TRIP, "what": "recovered", "at_request": 17_503, "observation": "2.1 % (0.3 to 6.1 %) of answers differ"}


def lines_of(picture: RenderableType, width: int = 80, height: int = 40) -> list[str]:
    """The lines inside the frame, on a terminal without colours; words have one space between them."""
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(picture)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.strip("│ ").split()) for line in console.file.getvalue().splitlines()]


def line(picture: RenderableType, begin: str) -> str:
    """Return the only line that begins so."""
    (row_text,) = (row for row in lines_of(picture) if row.startswith(f"{begin} "))
    return row_text


def progress(**changes: Any) -> ScopeProgress:  # noqa: ANN401 - any field
    """Return a scope in normal mode."""
    usual = {
        "scope": "sex=male",
        "requests": 1234,
        "disagreement": {"mean": 0.025, "lower": 0.012, "upper": 0.04},
        "limit": 0.1,
        "evidence": 4.25,
        "budget": 8.5,
        "state": "normal",
        "accuracy": 0.875,
    }
    return ScopeProgress(**{**usual, **changes})


EVERYBODY = progress(scope="model", evidence=0.0)
SAVED = progress(scope=TRIP["scope"], state="safe", evidence=0.0)
GROUPS = [progress(scope=f"age={number}_to_{number + 1}", evidence=0.01 * number) for number in range(21)]


def test_group_that_is_well_shows_its_evidence_bar() -> None:
    """The model that answers, the share that differs and its range, the limit, the bar, how often right."""
    shown = line(Board(RUN, 3000, [progress()], []), "male")
    assert shown == "male small 2.5 % (1.2 to 4.0) 10 % ████░░░░ 50 % 88 %"


@pytest.mark.parametrize(("evidence", "filled"), [(-3.0, 0), (0.0, 0), (4.25, 4), (8.5, 8), (40.0, 8)])
def test_bar_is_clipped(evidence: float, filled: int) -> None:
    """Negative evidence is an empty bar, evidence over the budget a full one; the number is shown as it is."""
    shown = line(Board(RUN, 1, [progress(evidence=evidence)], []), "male")
    assert (shown.count("█"), shown.count("░")) == (filled, 8 - filled)
    assert f" {100 * max(evidence, 0) / 8.5:.0f} %" in shown


def test_widest_row_fits_into_80_columns() -> None:
    """Each group has one line, and nothing is cut."""
    disagreement = {"mean": 0.099, "lower": 0.001, "upper": 0.304}
    widest = progress(scope="race=two_or_more_races", disagreement=disagreement, state="safe", accuracy=1.0)
    trip = {**TRIP, "scope": widest.scope, "at_request": 17_503}
    shown = lines_of(Board(RUN, 3000, [widest], [trip]))
    assert "■ two or more races FULL 9.9 % (0.1 to 30.4) 10 % alarm at 17,503 100 %" in shown


@pytest.mark.parametrize("state", ["safe", "latched"])
def test_group_with_the_full_model_shows_its_alarm(state: str) -> None:
    """The request of its latest alarm replaces the bar; without one the alarm was the whole model's."""
    saved = progress(scope=TRIP["scope"], state=state)
    shown = line(Board(RUN, 1, [saved], [TRIP, {**TRIP, "at_request": 1500}]), "■ group quarters")
    assert shown == "■ group quarters FULL 2.5 % (1.2 to 4.0) 10 % alarm at 1,500 88 %"
    assert "with everybody" in line(Board(RUN, 1, [saved], []), "■ group quarters")


def test_group_without_rows_shows_dashes() -> None:
    """There is no division by zero, and unknown values are dashes."""
    empty = progress(requests=0, disagreement=None, limit=None, evidence=0.0, accuracy=None)
    assert line(Board(RUN, 0, [empty], []), "male") == f"male small - - {'░' * 8} 0 % -"


def test_title_has_the_model_and_the_progress() -> None:
    """The title has the share that is compared."""
    shown = " ".join(lines_of(Board(RUN, 3000, [], [])))
    assert "good_int8: request 3,000 of 12,000, 25 % compared" in shown
    assert "No alarm: every group is within its limits." in shown


@pytest.mark.parametrize(
    ("scopes", "headline"),
    [
        ([EVERYBODY, *GROUPS], "The small model answers everybody."),
        ([EVERYBODY, SAVED, *GROUPS], "One group is answered by the full model. Everybody else: the small one."),
        ([EVERYBODY, SAVED, SAVED], "Two groups are answered by the full model. Everybody else: the small one."),
        ([progress(scope="model", state="safe"), SAVED], "The full model answers everybody."),
    ],
)
def test_headline_says_who_is_answered_by_which_model(scopes: list[ScopeProgress], headline: str) -> None:
    """It is the first line below the bar."""
    assert lines_of(Board(RUN, 3000, scopes, []))[2] == headline


def test_story_says_what_happened_at_which_request() -> None:
    """Alarms, a deployment and returns stand in the order of their requests, each in a line or two."""
    changes = [TRIP, RETURN, {"what": "deployed", "at_request": 12_001}]
    assert lines_of(Board(RUN, 3000, [], changes))[-5:-1] == [
        "1,443 group quarters to the full model: 57 % (29 to 83 %) of answers differ",
        "12,001 another small model is put in place",
        "17,503 group quarters back to the small model: 2.1 % (0.3 to 6.1 %) of",
        "answers differ",
    ]


def test_small_terminal_shows_the_worst_groups() -> None:
    """Eight lines stay free below, for what is said at the end; the groups without room have one line together."""
    lines = lines_of(Board(RUN, 3000, [EVERYBODY, *GROUPS, SAVED], [TRIP]), height=24)
    assert len(lines) == 16
    assert lines[4].startswith("everybody ")
    assert [row.partition(" small ")[0] for row in lines[6:12]] == [f"{n} to {n + 1}" for n in range(20, 14, -1)]
    assert lines[12] == "… 15 more none above 1.6 %"
    assert line(Board(RUN, 3000, [EVERYBODY, SAVED], [TRIP]), "■ group quarters")


def test_large_terminal_shows_all_groups() -> None:
    """No line of the others where all have room."""
    lines = lines_of(Board(RUN, 3000, [EVERYBODY, *GROUPS, SAVED], [TRIP]))
    assert len(lines) == 30
    assert not any("more" in row for row in lines)


def test_group_without_requests_is_left_out() -> None:
    """A line for values that the traffic lacks would only hide the others; before the first request all are shown."""
    scopes = [progress(), progress(scope="sex=other", requests=0)]
    assert not any(row.startswith("other") for row in lines_of(Board(RUN, 3000, scopes, [])))
    assert line(Board(RUN, 0, scopes, []), "other")
