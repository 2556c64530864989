"""The first sentences say the worst first, and what is not known as unknown."""

from pathlib import Path

import pytest

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import CASE, MONDAY, TRIPPED, Judged, move, simulated_week, week_events


def test_week_in_three_sentences(tmp_path: Path) -> None:
    """Harm, money and decisions."""
    with simulated_week(tmp_path) as week:
        assert week.document()["summary"] == [
            "Harm was noticed once, and the full model answered from then on.",
            "After the cost of safety the small model saved about 3.9 hours of compute time.",
            "One decision is due.",
        ]


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (week_events()[:1], "No harm was noticed."),
        ([], "Whether harm was done is not known for employment."),
        (
            [
                week_events()[0],
                move(1, TRIPPED, "breach", "model", "safe", monitors=[CASE], after={"state": "safe", "asked": [3]}),
            ],
            "Harm was noticed once, and the full model was asked again about such answers from then on.",
        ),
        (
            [week_events()[0], move(1, TRIPPED, "breach", MINORITY, "safe", monitors=[CASE], armed=False)],
            "Harm was noticed once, and it goes on for minority (group).",
        ),
        (
            [
                week_events()[0],
                move(1, TRIPPED, "breach", MINORITY, "safe", monitors=[CASE], armed=False),
                move(2, TRIPPED + 60, "recovered", MINORITY, "normal"),
            ],
            "Harm was noticed once; it was not held off at once for minority (group), and is over.",
        ),
        (
            [
                week_events()[0],
                *(move(n, TRIPPED + n, "breach", f"group={n}", "safe", monitors=[CASE]) for n in (1, 2)),
            ],
            "Harm was noticed twice, and each time the full model answered from then on.",
        ),
    ],
)
def test_harm_is_said_as_it_was(tmp_path: Path, events: list[object], words: str) -> None:
    """Held off, late, going on, none noticed, or unknown."""
    with simulated_week(tmp_path, events) as week:  # type: ignore[arg-type]
        assert week.document()["summary"][0] == words


def test_unknown_cost_is_not_said_to_be_none(tmp_path: Path) -> None:
    """Nor is harm where nothing was compared."""
    with simulated_week(tmp_path, week_events()[:1], days=[], judged=Judged(compared=0)) as week:
        found = week.document()["summary"]
    assert found[0] == "Whether harm was done is not known for employment."
    assert found[1] == "What was saved is not known."
    assert found[2] == "No decision is due."


def test_week_that_is_not_over_says_so(tmp_path: Path) -> None:
    """The figures are those until now."""
    with simulated_week(tmp_path) as week:
        week.now = MONDAY + 2 * 86_400
        document = week.document()
    assert document["complete"] is False
    assert document["summary"][0].startswith("This week is not over")
