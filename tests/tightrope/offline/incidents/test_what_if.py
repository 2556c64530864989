import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.offline.incidents.record_files import all_incidents, record_of_incident, record_of_model
from tightrope.offline.incidents.what_if import what_if
from tightrope.service.adapters.journal.incident import IncidentError


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> RecordedJudge:
    """A judge that was killed while an incident was open."""
    found = RecordedJudge(tmp_path_factory.mktemp("state"))
    found.judge_harm(slice(0, 14))
    found.kill()
    found.judge_harm(slice(14, None))
    found.stop()
    return found


def test_the_limits_that_held_repeat_history(judged: RecordedJudge) -> None:
    """At the limits of the plan the moves are those of the incident, in their order."""
    (incident,) = all_incidents(judged.settings())
    moves = what_if(record_of_incident(judged.settings(), incident.id), {"disagreement": 0.1}, "group=a")
    assert [each.move for each in moves] == list(incident.moves)
    assert len(moves) >= 2


def test_a_higher_limit_would_have_moved_no_scope(judged: RecordedJudge) -> None:
    """Above the harm in the rows there is no alarm."""
    record = record_of_model(judged.settings(), "m", 0.0)
    assert what_if(record, {"disagreement": 0.69}, "group=a") == []


def test_a_lower_limit_moves_sooner(judged: RecordedJudge) -> None:
    """With a lower limit the same scope moves at an earlier answer."""
    record = record_of_model(judged.settings(), "m", 0.0)
    lower, higher = (what_if(record, {"disagreement": limit}, "group=a") for limit in (0.1, 0.25))
    assert lower[0].move.scope == higher[0].move.scope == "group=a"
    assert lower[0].answer < higher[0].answer


@pytest.mark.parametrize(
    ("limits", "scope", "said"),
    [({"mix": 0.1}, None, "--limits: mix"), ({"disagreement": 0.1}, "x=y", "--scope: 'x=y'")],
)
def test_unknown_names_are_refused(
    judged: RecordedJudge, limits: dict[str, float], scope: str | None, said: str
) -> None:
    """A monitor or scope that the plan does not have is named, with those that it has."""
    with pytest.raises(IncidentError, match=said):
        what_if(record_of_model(judged.settings(), "m", 0.0), limits, scope)


def test_nothing_recorded_is_an_error(judged: RecordedJudge) -> None:
    """A time after all segments leaves none."""
    with pytest.raises(IncidentError, match="nothing is recorded"):
        record_of_model(judged.settings(), "m", 5000.0)
