"""Spans begin and end with their events; several reasons at a time are one."""

from dataclasses import astuple

from tests.support.harmful_pair import MINORITY
from tests.support.week.simulated import MONDAY, NAME, move, week_events
from tightrope.monitors.records import Event
from tightrope.service.api.week.spans import (
    TrailSpan,
    full_model_spans,
    lost_spans,
    unprotected_spans,
    unseen_spans,
)


def numbered(*events: Event) -> list[tuple[int, Event]]:
    """The events with numbers from 1."""
    return list(enumerate(events, 1))


def note(time: float, kind: str, scope: str = "model", **detail: object) -> Event:
    """An event that moves no mode."""
    return Event(f"{kind}-{time}", time, NAME, kind, scope, "gateway", "", detail)


def test_week_has_a_trip_an_order_and_a_blind_hour() -> None:
    """Each with its end."""
    found = [
        (span.kind, span.scope, span.actor, span.end is not None) for span in full_model_spans(numbered(*week_events()))
    ]
    assert found == [
        ("breach", MINORITY, "judge", True),
        ("force-safe", "model", "Ben", True),
        ("blind-began", "model", "gateway", True),
    ]


def test_span_without_an_end_goes_on_and_keeps_its_first_reason() -> None:
    """An order about a group that is with the full model already begins no second span."""
    events = numbered(move(1, 10.0, "breach", MINORITY, "safe"), move(2, 20.0, "force-safe", MINORITY, "safe"))
    assert [astuple(span) for span in full_model_spans(events)] == [(MINORITY, "breach", "judge", 1, 10.0, None, ())]


def narrowed(number: int, time: float, *classes: int) -> Event:
    """A breach that narrows the model to these classes."""
    return move(number, time, "breach", "model", "safe", after={"state": "safe", "asked": list(classes)})


def test_span_of_some_classes_ends_where_the_whole_model_moves() -> None:
    """A further class is in the same span; the return ends it, too."""
    widened = numbered(narrowed(1, 10.0, 3), narrowed(2, 20.0, 3, 5), move(3, 30.0, "force-safe", "model", "safe"))
    assert [(span.kind, span.begin, span.end, span.asked) for span in full_model_spans(widened)] == [
        ("breach", 10.0, 30.0, ("3", "5")),
        ("force-safe", 30.0, None, ()),
    ]
    returned = numbered(narrowed(1, 10.0, 3), move(2, 20.0, "recovered", "model", "normal"))
    assert [(span.end, span.asked) for span in full_model_spans(returned)] == [(20.0, ("3",))]


def test_advisory_harm_is_unprotected_until_it_is_over() -> None:
    """The full model does not answer then, so it is no span of the full model."""
    events = numbered(
        move(1, 10.0, "breach", MINORITY, "safe", armed=False),
        move(2, 20.0, "breach", MINORITY, "safe", armed=False, moved=False),
        move(3, 30.0, "recovered", MINORITY, "normal", armed=False),
    )
    assert full_model_spans(events) == []
    assert [(span.begin, span.end, span.seq) for span in unprotected_spans(events)] == [(10.0, 30.0, 1)]


def test_harm_under_an_order_for_the_small_model_is_unprotected() -> None:
    """Until the order is released and the full model takes over."""
    events = numbered(
        move(1, 5.0, "force-normal", MINORITY, "normal", "Ann"),
        move(2, 10.0, "breach", MINORITY, "normal", moved=False),
        move(3, 20.0, "release", MINORITY, "safe", "Ann"),
    )
    assert [(span.begin, span.end) for span in unprotected_spans(events)] == [(10.0, 20.0)]
    assert [(span.kind, span.begin) for span in full_model_spans(events)] == [("release", 20.0)]


def test_found_group_is_unprotected_until_it_is_over() -> None:
    """By its number."""
    events = numbered(
        note(10.0, "group-found", number=1), note(12.0, "group-found", number=2), note(20.0, "group-over", number=1)
    )
    assert [(span.scope, span.end) for span in unprotected_spans(events)] == [("found 1", 20.0), ("found 2", None)]


def test_blindness_for_several_reasons_is_one_span() -> None:
    """The judge's move and the gateway's notice overlap; that of a group stays apart."""
    events = numbered(
        note(10.0, "blind-began"),
        move(2, 12.0, "blind", "model", "safe"),
        note(13.0, "scope-blind-began", MINORITY),
        note(20.0, "blind-ended"),
        move(5, 30.0, "recovered", "model", "normal"),
        note(40.0, "judge-silent"),
    )
    found = [(span.scope, span.begin, span.end) for span in unseen_spans(events)]
    assert found == [("model", 10.0, 30.0), (MINORITY, 13.0, None), ("model", 40.0, None)]


def test_span_is_cut_where_a_week_ends_but_not_where_it_begins() -> None:
    """One that ends later goes on; one that ended before has no part in it."""
    span = TrailSpan("model", "blind", "judge", 1, 10.0, 20.0)
    assert span.within(15.0, 30.0) == span
    assert span.within(0.0, 20.0) == TrailSpan("model", "blind", "judge", 1, 10.0)
    assert span.within(21.0, 30.0) is None
    assert span.within(0.0, 10.0) is None


def test_lost_answers_have_a_span() -> None:
    """Between the two notices of the gateway."""
    events = numbered(note(MONDAY, "rows-lost"), note(MONDAY + 60, "rows-arrive"))
    assert [(span.begin, span.end) for span in lost_spans(events)] == [(MONDAY, MONDAY + 60)]
