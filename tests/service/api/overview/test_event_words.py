"""Each kind of event has a sentence, and an alarm is told with its rate, its range and since when."""

import re
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tightrope.monitors.records import Event
from tightrope.monitors.safemode import Input
from tightrope.service.api.overview.event_words import SORTS, event_sentence, event_sort, trail_line

CASE = {
    "monitor": "disagreement",
    "variant": "",
    "evidence": 9.9,
    "threshold": 8.5,
    "limit": 0.1,
    "now": {"mean": 0.57, "lower": 0.29, "upper": 0.83, "rows": 40},
    "since": {"number": 60, "earliest": 1, "latest": 128, "unit": "request", "time": 0.0},
}
SAFE = {"state": "safe", "held": False}


def event(kind: str, *, scope: str = "residence=group_quarters", actor: str = "judge", **detail: object) -> Event:
    """Return an event."""
    return Event("1", 5.0, "m", kind, scope, actor, "because", detail)


def test_alarm_is_told_with_its_rate_its_range_and_its_beginning() -> None:
    """As the page, the command line and the history show it."""
    text = event_sentence(event("breach", moved=True, armed=True, after=SAFE, monitors=[CASE]))
    assert text == (
        "The full model took over for group quarters (residence): 57 % (29 to 83 %) of answers differ, 10 % tolerated, "
        "since about request 60 (1 to 128), 40 answers."
    )
    line = trail_line(7, event("breach", moved=True, after=SAFE, monitors=[CASE]))
    assert (line.seq, line.sort, line.state, line.monitor) == (7, "harm", "safe", "disagreement")
    assert line.alarm == pytest.approx(9.9 / 8.5)


def test_alarm_that_moves_nothing_is_further_evidence_or_advice() -> None:
    """By whether the model is armed; one that stays until a person decides says so."""
    assert event_sentence(event("breach", moved=False, armed=True, monitors=[CASE])).startswith(
        "Further evidence about"
    )
    advised = event_sentence(event("breach", moved=True, armed=False, after=SAFE, monitors=[CASE]))
    assert advised.startswith("Harm for group quarters (residence), and the fallback only advises")
    latched = event_sentence(event("breach", moved=True, armed=True, after={"state": "latched"}, monitors=[CASE]))
    assert latched.endswith("so it stays there until a person decides.")


def test_classes_that_are_asked_again_are_told_in_the_place_of_the_whole_model() -> None:
    """Their return, and what widens them, read as any other."""
    narrow = {**SAFE, "asked": [3, 5]}
    text = event_sentence(event("breach", scope="model", moved=True, armed=True, after=narrow, monitors=[CASE]))
    assert text.startswith("The full model is asked again where the small one says “3” or “5”: 57 % (29 to 83 %) of")
    names = {"after": narrow, "monitors": [CASE], "asked": ["cat", "dog"]}
    text = event_sentence(event("breach", scope="model", moved=True, armed=True, **names))
    assert text.startswith("The full model is asked again where the small one says “cat” or “dog”: ")
    widened = {**SAFE, "asked": []}
    text = event_sentence(event("breach", scope="model", moved=True, armed=True, after=widened, monitors=[CASE]))
    assert text.startswith("The full model took over for everybody: ")


def test_events_of_earlier_releases_have_a_sentence() -> None:
    """Without an interval, and without a case."""
    old = {key: CASE[key] for key in ("monitor", "variant", "limit")} | {"recent_mean": 0.6, "recent_count": 28}
    assert "60 % (60 to 60 %) of answers differ" in event_sentence(event("breach", moved=True, monitors=[old]))
    assert event_sentence(event("breach", moved=True)).endswith("because.")


def test_return_says_what_it_rests_on() -> None:
    """Evidence, or answers that are compared again."""
    assert event_sentence(event("recovered", monitors=[CASE])).endswith("it has proved itself.")
    assert event_sentence(event("recovered")).endswith("answers are compared again.")


def test_orders_name_the_person() -> None:
    """The program's own parts are Tightrope."""
    assert event_sentence(event("force-safe", actor="Ben")).startswith("Ben had the full model answer group quarters")
    assert event_sentence(event("group-watched", scope="found=1")).startswith("Tightrope has the found group")


def kinds_in_source() -> set[str]:
    """Return the kinds of events that modules write as constants."""
    named = re.compile(r'= "?((?:[a-z]+-)+[a-z]+)"$|"((?:[a-z]+-)+[a-z]+)"', re.MULTILINE)
    found = set()
    for name in ("shadow/sight_events.py", "service/routing/blindness.py", "service/routing/judge_watch.py"):
        found |= {a or b for a, b in named.findall(Path(ROOT / name).read_text())}
    return found - {"judge-watch"}


@pytest.mark.parametrize("kind", sorted({*Input} | kinds_in_source()))
def test_every_kind_has_a_sentence_without_its_name(kind: str) -> None:
    """It is of a known sort, and ends as a sentence does."""
    text = event_sentence(event(str(kind), scope="model"))
    assert event_sort(kind) in SORTS
    assert text.endswith((".", "because"))
    assert not re.search(r"scope|breach|latched|dwell", text)


def test_kind_without_words_is_told_all_the_same() -> None:
    """One of a later release."""
    assert event_sentence(event("new-kind", scope="model")) == "New kind (everybody): because"
