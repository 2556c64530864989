"""Events of the audit trail in the log."""

import logging

import pytest

from tightrope.monitors.records import Event
from tightrope.service.api.overview.event_log import log_event


def event(kind: str, *, moved: bool = False) -> Event:
    """An event about a group."""
    return Event("e-1", 0.0, "m", kind, "sex=f", "Ben" if kind == "release" else "judge", "so", {"moved": moved})


@pytest.mark.parametrize(
    ("found", "level", "name"),
    [
        (event("breach", moved=True), logging.WARNING, "took-over"),
        (event("withheld", moved=True), logging.WARNING, "took-over"),
        (event("breach"), logging.WARNING, "breach"),
        (event("recovered", moved=True), logging.INFO, "gave-back"),
        (event("release"), logging.INFO, "order"),
        (event("deployed"), logging.INFO, "deployed"),
        (event("blind-began"), logging.ERROR, "blind"),
        (event("blind-ended"), logging.INFO, "sees-again"),
        (event("judge-silent"), logging.ERROR, "judge-silent"),
        (event("rows-lost"), logging.WARNING, "record-lost"),
        (event("dwell-elapsed"), logging.DEBUG, "dwell-elapsed"),
        (event("a-kind-of-tomorrow"), logging.INFO, "a-kind-of-tomorrow"),
    ],
)
def test_event_is_a_line_with_its_level_and_name(
    caplog: pytest.LogCaptureFixture, found: Event, level: int, name: str
) -> None:
    """The name is what machines look for, the kind that of the audit trail."""
    with caplog.at_level(logging.DEBUG):
        log_event(found)
    (record,) = caplog.records
    assert record.levelno == level
    fields = {"event": name, "kind": found.kind, "model": "m", "scope": "sex=f"}
    assert record.__dict__["fields"] == fields


def test_line_names_the_request_that_gave_the_last_evidence(caplog: pytest.LogCaptureFixture) -> None:
    """By the digest that the audit trail has of it, with its trace and its incident, if it has any."""
    for detail in ({"request_digest": "9f"}, {"request_digest": "9f", "trace_id": "4bf9", "incident": "m-20261130"}):
        log_event(Event("e-1", 0.0, "m", "breach", "sex=f", "judge", "so", detail))
        fields = caplog.records[-1].__dict__["fields"]
        assert fields.items() >= detail.items()
        assert {*fields} - {"event", "kind", "model", "scope"} == {*detail}


def test_line_has_no_request_id(caplog: pytest.LogCaptureFixture) -> None:
    """It would outlive an erasure."""
    log_event(Event("e-1", 0.0, "m", "breach", "sex=f", "judge", "so", {"request_id": "person-7"}))
    assert "person-7" not in str(caplog.records[-1].__dict__)


def test_line_has_the_number_in_the_audit_trail(caplog: pytest.LogCaptureFixture) -> None:
    """If the event is saved."""
    for seq in (7, None):
        log_event(event("breach"), seq_of={"e-1": seq}.get)
        assert caplog.records[-1].__dict__["fields"].get("seq") == seq


def test_text_is_the_sentence_for_people(caplog: pytest.LogCaptureFixture) -> None:
    """The model stands before it."""
    with caplog.at_level(logging.INFO):
        log_event(event("release"))
    assert caplog.messages == ["m: Ben gave f (sex) back to Tightrope: so"]
