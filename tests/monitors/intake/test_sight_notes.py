"""A note of a gateway about missing rows holds until it is taken back, or is not repeated."""

import pytest

from tightrope.monitors.intake.sight_notes import (
    LOST_BEGAN,
    LOST_ENDED,
    NOTE_SECONDS,
    REPEAT_SECONDS,
    STARVED_BEGAN,
    STARVED_ENDED,
    SightNotes,
    missing_sight,
    note_event,
)
from tightrope.monitors.records import MODEL_SCOPE, Event

NOW = 1_000.0


def after(*reported: tuple[str, str, float]) -> SightNotes:
    """The notes after events of these kinds, scopes and times."""
    notes: SightNotes = {}
    for kind, scope, time in reported:
        notes = note_event(notes, Event("1", time, "m", kind, scope, "gateway", ""), time)
    return notes


@pytest.mark.parametrize(("began", "ended"), [(STARVED_BEGAN, STARVED_ENDED), (LOST_BEGAN, LOST_ENDED)])
def test_scope_misses_rows_until_that_is_taken_back(began: str, ended: str) -> None:
    """Another scope is not concerned, and the other reason has an end of its own."""
    notes = after((STARVED_BEGAN, "sex=m", NOW), (LOST_BEGAN, "sex=m", NOW), (began, "sex=f", NOW))
    assert missing_sight(notes, "sex=f", NOW)
    assert not missing_sight(notes, MODEL_SCOPE, NOW)
    notes = note_event(notes, Event("2", NOW, "m", ended, "sex=f", "gateway", ""), NOW)
    assert not missing_sight(notes, "sex=f", NOW)
    assert missing_sight(note_event(notes, Event("3", NOW, "m", ended, "sex=m", "gateway", ""), NOW), "sex=m", NOW)


def test_starved_model_has_no_scope_that_is_seen() -> None:
    """A gateway tells of the model alone then; of rows that are lost it tells each scope."""
    assert missing_sight(after((STARVED_BEGAN, MODEL_SCOPE, NOW)), "sex=f", NOW)
    assert not missing_sight(after((LOST_BEGAN, MODEL_SCOPE, NOW)), "sex=f", NOW)


def test_note_that_is_not_repeated_ends() -> None:
    """A gateway that has ended cannot take it back; one that lives repeats it in time."""
    assert NOTE_SECONDS > 2 * REPEAT_SECONDS
    notes = after((LOST_BEGAN, "sex=f", NOW))
    assert missing_sight(notes, "sex=f", NOW + NOTE_SECONDS)
    assert not missing_sight(notes, "sex=f", NOW + NOTE_SECONDS + 1.0)
    again = Event("2", NOW + REPEAT_SECONDS, "m", LOST_BEGAN, "sex=f", "gateway", "")
    assert missing_sight(note_event(notes, again, again.time), "sex=f", NOW + NOTE_SECONDS + 1.0)


def test_time_of_a_clock_that_is_ahead_counts_as_now() -> None:
    """A note from the future would hold for longer than its time."""
    event = Event("1", NOW + 9e9, "m", LOST_BEGAN, "sex=f", "gateway", "")
    assert not missing_sight(note_event({}, event, NOW), "sex=f", NOW + NOTE_SECONDS + 1.0)


def test_other_events_change_nothing() -> None:
    """They are of no scope's rows."""
    notes = after((LOST_BEGAN, "sex=f", NOW))
    assert note_event(notes, Event("2", NOW, "m", "blind-began", "sex=f", "gateway", ""), NOW) is notes
