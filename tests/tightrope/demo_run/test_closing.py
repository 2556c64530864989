import io
from typing import Any

from rich.console import Console

from tightrope.demo_run.closing import closing_sentences, print_closing

GROUP, UNSURE = "residence=group_quarters", "residence=institution"
HARMFUL = "bad_distilled_households_only"
WELL = {"before": 0.7818, "after": None, "baseline": 0.7867}


def trip(scope: str, at_request: int) -> dict[str, Any]:
    """Return an alarm, as the result has it."""
    return {"scope": scope, "at_request": at_request}


def result(*trips: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    """Return the result of a run."""
    usual = {
        "model": HARMFUL,
        "requests": 12_000,
        "compared": 12_000,
        "seconds": 16.7,
        "trips": list(trips),
        "accuracy": {
            "model": WELL,
            GROUP: {"before": 0.6, "after": 0.677, "baseline": 0.677},
            UNSURE: {"before": 0.98, "after": 1.0, "baseline": 1.0},
            "sex=male": {"before": 0.7, "after": 0.7, "baseline": 0.7},
            "sex=other": {"before": None, "after": None, "baseline": None},
        },
        "served_by": {
            "model": {"baseline": 1516, "compressed": 10_484},
            GROUP: {"baseline": 1263, "compressed": 30},
            UNSURE: {"baseline": 0, "compressed": 0},
            "sex=male": {"baseline": 0, "compressed": 0},
            "sex=other": {"baseline": 0, "compressed": 0},
        },
    }
    return {**usual, **changes}


def test_one_alarm_is_told_in_three_sentences() -> None:
    """How well the group was answered before and after, who stayed, and how much was compared."""
    assert closing_sentences(result(trip(GROUP, 448))) == [
        (
            "The small model was right 60 % of the time for group quarters; since request 448 the full model answers "
            "them, and they get 68 %."
        ),
        "Everybody else stayed on the small model, 27 times smaller.",
        "Tightrope compared 12,000 answers and raised one alarm.",
    ]


def test_several_groups_are_told_with_their_own_figures() -> None:
    """The first two are named; the others are counted, and not said to have stayed."""
    first, stayed, compared = closing_sentences(result(trip(GROUP, 448), trip(UNSURE, 9024), trip("sex=male", 9025)))
    assert first == (
        "The small model was right 60 % of the time for group quarters and 98 % for institution; since requests 448 "
        "and 9,024 the full model answers them, and they get 68 % and 100 %."
    )
    assert stayed == "So it does for one more group; everybody else stayed on the small model, 27 times smaller."
    assert compared == "Tightrope compared 12,000 answers and raised three alarms."


def test_no_alarm_is_told() -> None:
    """All stayed; of a sample, the sentence says how many requests there were."""
    assert closing_sentences(result(model="good_int8", compared=3_000)) == [
        "The small model was right 78 % of the time, the full model 79 %.",
        "Everybody stayed on the small model, 3.9 times smaller.",
        "Tightrope compared 3,000 of 12,000 answers and raised no alarm.",
    ]


def test_alarm_about_everybody_is_told() -> None:
    """The small model answers no request; an answer that never came has no share."""
    first, stayed, _ = closing_sentences(result(trip("model", 320)))
    assert first.endswith("for everybody; since request 320 the full model answers them, and they get -.")
    assert stayed == "The small model, 27 times smaller, answers for nobody now."


def test_third_act_is_told_after_them() -> None:
    """The groups that returned, since when, and those that did not."""
    back = {"scope": GROUP, "at_request": 17_503}

    def last(returns: list[dict[str, Any]], safe: list[str]) -> str:
        act = {"deployed": "good_distilled", "returns": returns, "still_safe": safe}
        return closing_sentences(result(trip(GROUP, 448), third_act=act))[-1]

    begin = "Then another small model came: "
    answers = "it answers group quarters since request 17,503"
    assert last([back], [UNSURE]) == f"{begin}{answers}, and the full model still answers institution."
    assert last([back], []) == f"{begin}{answers}."
    assert last([], [GROUP]) == f"{begin}the full model still answers group quarters."
    assert last([], []) == f"{begin}it answers everybody."


def printed(*, table: bool) -> list[str]:
    """The lines on a terminal of 80 columns."""
    console = Console(file=io.StringIO(), width=80)
    print_closing(result(trip(GROUP, 448)), console, table=table)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_table_compares_before_and_after() -> None:
    """Each group with answers has a line: how often they were right, and who gave them."""
    lines = printed(table=True)
    assert lines[0] == "12,000 requests, 12,000 compared, 16.7 s"
    assert "everybody 78 % - 79 % 10,484 1,516" in lines
    assert "group quarters 60 % 68 % 68 % 30 1,263" in lines
    assert not any(line.startswith("other ") for line in lines)
    assert lines[-4:] == printed(table=False)
