import io
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tightrope.demo.replay import Answer, Row, traffic
from tightrope.demo_run import story
from tightrope.demo_run.gateway_process import started
from tightrope.demo_run.story import Gateway, Tally
from tightrope.service.errors import ServerError

SCOPE = "residence=group_quarters"


def answer(predicted: int, by: str, label: int = 1) -> Answer:
    """What one caller got."""
    return Answer(Row("demo-1", (1.0,), label, (SCOPE,)), predicted, by)


def tally(*answers: tuple[int, str, bool]) -> Tally:
    """The tally of these answers: the prediction (the truth is 1), who gave it, whether the baseline is right."""
    made = Tally()
    for predicted, by, right in answers:
        made.add(answer(predicted, by), baseline_correct=right)
    return made


def test_tally_splits_at_the_first_answer_of_the_baseline() -> None:
    """Before: what callers got until then. After: from it on; and there the baseline is measured on the same rows."""
    of = tally((0, "compressed", True), (1, "compressed", False), (1, "baseline", True), (0, "baseline", False))
    assert of.switched == 2
    assert of.served_by == {"baseline": 2, "compressed": 2}
    assert of.accuracy(of.switched) == {"before": 0.5, "after": 0.5, "baseline": 0.5}
    assert of.accuracy(1) == {"before": 0.0, "after": 0.6667, "baseline": 0.3333}


def test_tally_without_a_switch_has_no_after() -> None:
    """All rows are before; the baseline is measured on all of them."""
    of = tally((1, "compressed", True), (1, "compressed", True), (0, "compressed", False), (0, "compressed", True))
    assert of.switched is None
    assert of.accuracy(None) == {"before": 0.5, "after": None, "baseline": 0.75}


def test_tally_of_nobody_claims_nothing() -> None:
    """A scope without requests has no accuracy, and a scope that was safe from the start no before."""
    assert Tally().accuracy(None) == {"before": None, "after": None, "baseline": None}
    assert tally((1, "baseline", True)).accuracy(0) == {"before": None, "after": 1.0, "baseline": 1.0}


def test_truth_of_the_baseline_is_what_it_says_alone() -> None:
    """It is right on about four rows of five, and wrong on the others: as its manifest says."""
    right = story.baseline_correct(traffic())
    assert len(right) == len(traffic())
    assert 0.75 < sum(right) / len(right) < 0.85


class Answers(Gateway):
    """A gateway's answers, by path."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__("nowhere", "a-token")
        self.answers = answers

    def get(self, path: str) -> dict[str, Any]:
        """The first answer whose name is in the path."""
        found: Any = next(said for name, said in self.answers.items() if name in path)
        return dict(found)


def event(kind: str, *, moved: bool, monitors: tuple[str, ...] = ("disagreement",)) -> dict[str, Any]:
    """An event as the gateway tells it."""
    cases = [
        {"monitor": name, "evidence": 8.71234, "recovery": None, "threshold": 8.4983, "limit": 0.1} for name in monitors
    ]
    detail = {"moved": moved, "monitors": cases, "request_id": "demo-00442"}
    return {"kind": kind, "scope": SCOPE, "detail": detail}


def test_trip_is_a_breach_that_moved_somebody() -> None:
    """A breach of a scope that is safe already is none, nor a return; of several monitors the first one is told."""
    events = [
        event("breach", moved=True, monitors=("disagreement", "confidence")),
        event("breach", moved=False),
        event("recovered", moved=True),
    ]
    assert story.trips_of(Answers(events={"events": events})) == [
        {
            "scope": SCOPE,
            "monitor": "disagreement",
            "at_request": 443,
            "evidence": 8.712,
            "threshold": 8.498,
            "limit": 0.1,
        }
    ]


def test_standing_shows_the_strongest_evidence_of_a_scope() -> None:
    """The monitor nearest to its alarm speaks; none at all, and none yet, are nothing."""
    of = tally((1, "compressed", True), (0, "compressed", True))
    heard = {"disagreement": None, "confidence": 2.5, "refusal_rate": 1.0}
    said = [{"scope": SCOPE, "monitor": m, "evidence": e, "threshold": 8.5, "mean": 0.5} for m, e in heard.items()]
    status = {
        "judged": {"scopes": {SCOPE: {"compared": 2}, "model": {"compared": 0}}},
        "scopes": {SCOPE: "safe", "model": "normal"},
    }
    gateway = Answers(verdicts={"verdicts": said}, models=status)
    harmed, whole = story._standings(gateway, {SCOPE: of, "model": Tally()})
    assert (harmed.evidence, harmed.budget, harmed.state, harmed.accuracy) == (2.5, 8.5, "safe", 0.5)
    assert (harmed.requests, harmed.compared, harmed.disagreement) == (2, 2, 0.5)
    assert (whole.evidence, whole.accuracy, whole.disagreement, whole.state) == (0.0, None, None, "normal")
    status["scopes"] = {SCOPE: "normal", "model": "latched"}
    assert {s.state for s in story._standings(gateway, {SCOPE: of, "model": Tally()})} == {"latched"}


def test_settled_waits_for_what_was_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks until judged and pending rows are as many as were kept; and not for ever."""
    looks = [{"sampling": {"kept": 10}, "judged": {"seen": seen, "pending": 2}} for seen in (0, 7, 8, 9)]
    gateway = Answers()
    monkeypatch.setattr(gateway, "get", lambda _: looks.pop(0))
    assert story._settled(gateway)["judged"]["seen"] == 8
    monkeypatch.setattr(story, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(gateway, "get", lambda _: {"sampling": {"kept": 10}, "judged": {"seen": 1, "pending": 0}})
    assert story._settled(gateway)["judged"]["seen"] == 1


def test_gateway_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its exit code; its own words were on stderr."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ServerError, match=r"did not start \(exit code 1\)"), started(tmp_path, "good_int8", 1.0):
        pass


def test_story_is_shown_and_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A short one, live on a terminal, with a sampled shadow, and its last table as a picture."""
    monkeypatch.setattr(story, "traffic", lambda *files: traffic(*files)[:300])
    console = Console(file=io.StringIO(), width=150, force_terminal=True)
    told = story.tell("good_int8", 0.5, fast=True, console=console, svg=tmp_path / "board.svg")
    assert (told["requests"], told["sampling"], told["trips"]) == (300, 0.5, [])
    assert 90 < int(str(told["compared"])) < 210
    assert isinstance(console.file, io.StringIO)
    assert "good_int8" in console.file.getvalue()
    assert SCOPE in console.file.getvalue()
    picture = (tmp_path / "board.svg").read_text()
    assert picture.startswith("<svg")
    assert "url(" not in picture.replace("url(#", ""), "it would be fetched from elsewhere"
