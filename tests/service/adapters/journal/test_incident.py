from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.recorded import recorded_plan
from tightrope.monitors.plan import Transition, initial_state
from tightrope.monitors.safemode import Input, Mode, ModeState
from tightrope.service.adapters.journal.incident import (
    Incident,
    IncidentError,
    incident_id,
    is_apart,
    read_incident,
    write_incident,
)

SAFE = Mode(ModeState.SAFE)
MOVE = Transition("group=a", Input.BREACH, Mode(), SAFE, 7.0, "judge", "harm", {})


def test_an_incident_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Moves that come twice, as after a restart, count once."""
    incident = Incident("m-1", "m", 7.0, 3).with_moves([MOVE]).with_moves([MOVE]).without("a gap").without("a gap")
    write_incident(tmp_path / "incidents", incident)
    assert read_incident((tmp_path / "incidents" / "m-1.json").read_bytes()) == incident
    assert (incident.scopes, incident.missing, len(incident.moves)) == (("group=a",), ("a gap",), 1)


def test_two_incidents_of_one_second_have_two_names() -> None:
    """The name has the model and the time of the first move."""
    assert incident_id("m", 0.0, []) == "m-19700101-000000"
    assert incident_id("m", 0.0, ["m-19700101-000000", "m-19700101-000000-2"]) == "m-19700101-000000-3"


def test_a_model_is_apart_while_one_scope_is_in_safe_mode() -> None:
    """One of its scopes is enough."""
    state = initial_state(recorded_plan())
    assert not is_apart(state)
    assert is_apart(replace(state, modes=(*state.modes[:1], SAFE, *state.modes[2:])))


@pytest.mark.parametrize("document", [b"", b"[]", b'{"format": "x"}', b'{"format": "tightrope.incident/1"}'])
def test_other_documents_are_refused(document: bytes) -> None:
    """Any other document is one error."""
    with pytest.raises(IncidentError):
        read_incident(document)
