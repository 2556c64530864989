"""The types of the API's answers, and how answers are encoded."""

from dataclasses import asdict, fields

import msgspec

from tightrope.monitors.records import Event
from tightrope.service.api import answers
from tightrope.service.api.answers import ANSWERS, EventEntry, json_response


def test_figures_that_are_no_numbers_are_null() -> None:
    """JSON has no infinity: a detector without data has minus infinity as its evidence."""
    answer = json_response({"evidence": -float("inf"), "mean": float("nan"), "limit": 0.5})
    assert answer.body == b'{"evidence":null,"mean":null,"limit":0.5}'
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


def test_answer_has_its_status_and_headers() -> None:
    """An error, for example, says when to try again."""
    answer = json_response({"error": "full"}, 503, {"Retry-After": "5"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_event_entry_has_every_field_of_an_event() -> None:
    """With its number, and the links to a report and to its incident."""
    event = Event("m/1", 0.0, "m", "breach", "model", "judge", "disagreement", {"count": 3})
    added = {"seq": 7, "text": "Harm.", "report": None, "incident": "m-1"}
    entry = msgspec.json.decode(json_response(EventEntry(**asdict(event), **added)).body)
    assert entry == {**asdict(event), **added}
    assert {field.name for field in fields(EventEntry)} == entry.keys()


def test_every_answer_is_listed_or_part_of_one() -> None:
    """A type that is left out would have no schema."""
    _, components = msgspec.json.schema_components(
        ANSWERS, schema_hook=lambda _: {"description": "any"}, ref_template="{name}"
    )
    defined = {
        name
        for name, value in vars(answers).items()
        if isinstance(value, type) and value.__module__ == answers.__name__
    }
    assert defined <= components.keys()
