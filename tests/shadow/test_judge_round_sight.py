"""No verdict is a pass where a gateway tells that rows are missing."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.judgement.comparisons import RowSource, judge_rows, make_plan
from tightrope.monitors.intake.sight_notes import (
    LOST_BEGAN,
    LOST_ENDED,
    NOTE_SECONDS,
    STARVED_BEGAN,
    STARVED_ENDED,
)
from tightrope.monitors.plan import State
from tightrope.monitors.records import MODEL_SCOPE, Event, Outcome
from tightrope.monitors.verdict import Verdict
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire import record_codec
from tightrope.shadow.judge_round import JudgeRound
from tightrope.shadow.judgement_view import JudgementView

PLAN = make_plan("disagreement", scopes=("sex=f", "sex=m"))
NOW = 1e9


class Judged:
    """A judge's state of a model that has passed, which takes events of a gateway; they survive a restart."""

    def __init__(self, folder: Path) -> None:
        rows = RowSource(time=NOW - 100.0).rows(4_096, scopes=PLAN.scopes[1:], member=True)
        self.state: State = judge_rows(PLAN, rows)[0]
        self.store = SqliteStore(folder / "tightrope.db")
        self.events: list[Event] = []

    def report(self, kind: str, scope: str, time: float = NOW) -> None:
        """Process an event of a gateway."""
        judged = JudgeRound({"m": PLAN}, {"m": self.state}, self.store, "host", NOW)
        event = Event("1", time, "m", kind, scope, "gateway", "a reason")
        assert not list(judged.process([Record("events", 0, 0, "m", record_codec.encode_event(event), NOW)]))
        self.events += judged.events
        self.state = record_codec.decode_state(record_codec.encode_state(judged.states["m"]))

    def outcomes(self) -> dict[str, set[Outcome]]:
        """The outcomes of all monitors, by scope."""
        found: dict[str, set[Outcome]] = {}
        for verdict in self.verdicts():
            found.setdefault(verdict.scope, set()).add(verdict.outcome)
        return found

    def verdicts(self) -> list[Verdict]:
        """The verdicts as people and metrics get them."""
        view = JudgementView({"m": PLAN})
        view.states = {"m": self.state}
        return list(view.verdicts("m"))


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """A model with enough rows."""
    return Judged(tmp_path)


PASSED, WITHHELD = {Outcome.PASS}, {Outcome.INSUFFICIENT}


@pytest.mark.parametrize(("began", "ended"), [(STARVED_BEGAN, STARVED_ENDED), (LOST_BEGAN, LOST_ENDED)])
def test_scope_that_misses_rows_does_not_pass(judged: Judged, began: str, ended: str) -> None:
    """Every monitor of it says why, in words; other scopes pass, and it does again once the gateway takes it back."""
    assert judged.outcomes() == {MODEL_SCOPE: PASSED, "sex=f": PASSED, "sex=m": PASSED}
    judged.report(began, "sex=f")
    assert judged.outcomes() == {MODEL_SCOPE: PASSED, "sex=f": WITHHELD, "sex=m": PASSED}
    assert {"half of the" in verdict.note for verdict in judged.verdicts() if verdict.scope == "sex=f"} == {True}
    judged.report(ended, "sex=f")
    assert judged.outcomes()["sex=f"] == PASSED
    assert [event.kind for event in judged.events] == [began, ended]


def test_starved_model_has_no_pass_at_all(judged: Judged) -> None:
    """Its subgroups are starved, too."""
    judged.report(STARVED_BEGAN, MODEL_SCOPE)
    assert judged.outcomes() == {MODEL_SCOPE: WITHHELD, "sex=f": WITHHELD, "sex=m": WITHHELD}


def test_pass_comes_back_when_the_gateway_has_ended(judged: Judged) -> None:
    """Rows go on to arrive, and the note is repeated no longer."""
    judged.report(LOST_BEGAN, "sex=f")
    unanswered = replace(judged.state.unanswered, answered=NOW + NOTE_SECONDS + 1.0)
    judged.state = replace(judged.state, unanswered=unanswered)
    assert judged.outcomes()["sex=f"] == PASSED


def test_scope_that_the_plan_lacks_leaves_no_note(judged: Judged) -> None:
    """The state does not grow by what a topic may hold."""
    judged.report(LOST_BEGAN, "sex=x")
    assert not judged.state.sight_notes
    assert len(judged.events) == 1


def test_breach_stays_a_breach_where_rows_are_missing(judged: Judged) -> None:
    """A proof does not need the rows that are missing."""
    rows = RowSource(time=NOW - 100.0).rows(4_096, scopes=PLAN.scopes[1:], member=True, disagree=True)
    judged.state = judge_rows(PLAN, rows)[0]
    breached = [verdict for verdict in judged.verdicts() if verdict.outcome is Outcome.BREACH]
    judged.report(STARVED_BEGAN, MODEL_SCOPE)
    assert breached
    assert [verdict for verdict in judged.verdicts() if verdict.outcome is Outcome.BREACH] == breached
