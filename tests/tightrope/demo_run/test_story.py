import io
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.panel import Panel

from tightrope.demo.replay import ReplayAnswer, TrafficRow, traffic
from tightrope.demo_run import story
from tightrope.demo_run.gateway_process import start_gateway
from tightrope.demo_run.story import HttpGateway, ScopeTally
from tightrope.service.errors import ServerError

SCOPE = "residence=group_quarters"


def answer(predicted: int, by: str, label: int = 1) -> ReplayAnswer:
    """Return the answer to one caller."""
    return ReplayAnswer(TrafficRow("demo-1", (1.0,), label, (SCOPE,)), predicted, by)


def tally(*answers: tuple[int, str, bool]) -> ScopeTally:
    """Return the tally of answers: the prediction (the label is 1), who gave it, whether the baseline is right."""
    made = ScopeTally()
    for predicted, by, right in answers:
        made.add(answer(predicted, by), baseline_correct=right)
    return made


def test_tally_splits_at_the_first_baseline_answer() -> None:
    """Accuracy is measured before and after the switch; the baseline's on the same rows as after."""
    counted = tally((0, "compressed", True), (1, "compressed", False), (1, "baseline", True), (0, "baseline", False))
    assert counted.switched == 2
    assert counted.served_by == {"baseline": 2, "compressed": 2}
    assert counted.accuracy(counted.switched) == {"before": 0.5, "after": 0.5, "baseline": 0.5}
    assert counted.accuracy(1) == {"before": 0.0, "after": 0.6667, "baseline": 0.3333}


def test_tally_without_a_switch_has_no_after() -> None:
    """All rows are before; the baseline is measured on all of them."""
    counted = tally((1, "compressed", True), (1, "compressed", True), (0, "compressed", False), (0, "compressed", True))
    assert counted.switched is None
    assert counted.accuracy(None) == {"before": 0.5, "after": None, "baseline": 0.75}


def test_empty_tally_has_no_accuracy() -> None:
    """A scope without requests has no accuracy, and a scope that was safe from the start has none before."""
    assert ScopeTally().accuracy(None) == {"before": None, "after": None, "baseline": None}
    assert tally((1, "baseline", True)).accuracy(0) == {"before": None, "after": 1.0, "baseline": 1.0}


def test_baseline_is_right_as_often_as_its_manifest_says() -> None:
    """The baseline is right on about four rows of five, as its manifest says."""
    right = story.baseline_correct(traffic())
    assert len(right) == len(traffic())
    assert 0.75 < sum(right) / len(right) < 0.85


class Answers(HttpGateway):
    """A gateway with prepared answers, by path."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__("nowhere", "a-token")
        self.answers = answers

    def request_number(self, digest: str) -> int:
        """Return the number behind the d."""
        return int(digest[1:])

    def get(self, path: str) -> dict[str, Any]:
        """Return the first answer whose name is in the path."""
        found: Any = next(verdicts for name, verdicts in self.answers.items() if name in path)
        return dict(found)


def event(kind: str, *, moved: bool, monitors: tuple[str, ...] = ("disagreement",)) -> dict[str, Any]:
    """Return an event of the gateway's API."""
    shared = {"evidence": 8.71234, "recovery": None, "threshold": 8.4983, "limit": 0.1, "since": None, "text": "24"}
    more = {"variant": "", "now": {"mean": 0.57, "lower": 0.29, "upper": 0.83, "rows": 40}}
    cases = [{"monitor": name, **shared, **more} for name in monitors]
    detail = {"moved": moved, "monitors": cases, "request_digest": "d443"}
    return {"kind": kind, "scope": SCOPE, "detail": detail}


def test_trip_is_a_breach_that_changed_a_mode() -> None:
    """A breach of a scope that is safe already is no trip, nor is a return; the first monitor is reported."""
    events = [
        event("breach", moved=True, monitors=("disagreement", "confidence")),
        event("breach", moved=False),
        event("recovered", moved=True),
    ]
    assert story.trips(Answers(events={"events": events})) == [
        {
            "scope": SCOPE,
            "monitor": "disagreement",
            "at_request": 443,
            "evidence": 8.712,
            "threshold": 8.498,
            "limit": 0.1,
            "since": None,
            "text": "24",
        }
    ]


def test_change_is_told_in_words() -> None:
    """The rate of the first monitor, with its range."""
    (change,) = story._mode_changes(Answers(events={"events": [event("recovered", moved=True)]}))
    assert (change["what"], change["at_request"]) == ("recovered", 443)
    assert change["observation"] == "57 % (29 to 83 %) of answers differ"
    assert story._observation({"now": None}) == ""


def test_progress_has_the_strongest_evidence() -> None:
    """The monitor nearest to its alarm counts; a scope without evidence has none."""
    counted = tally((1, "compressed", True), (0, "compressed", True))
    evidence = {"disagreement": None, "confidence": 2.5, "refusal_rate": 1.0}
    verdicts = [
        {"scope": SCOPE, "monitor": m, "evidence": e, "threshold": 8.5, "now": {"mean": 0.5}, "limit": 0.1}
        for m, e in evidence.items()
    ]
    status = {"scopes": {SCOPE: "safe", "model": "normal"}}
    gateway = Answers(verdicts={"verdicts": verdicts}, models=status)
    harmed, model = story._progress(gateway, {SCOPE: counted, "model": ScopeTally()})
    assert (harmed.evidence, harmed.budget, harmed.state, harmed.accuracy) == (2.5, 8.5, "safe", 0.5)
    assert (harmed.requests, harmed.disagreement) == (2, {"mean": 0.5})
    assert (harmed.limit, model.limit) == (0.1, None)
    assert (model.evidence, model.accuracy, model.disagreement, model.state) == (0.0, None, None, "normal")
    status["scopes"] = {SCOPE: "normal", "model": "latched"}
    assert {s.state for s in story._progress(gateway, {SCOPE: counted, "model": ScopeTally()})} == {"latched"}


def test_wait_ends_when_all_samples_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It polls until judged and pending rows are as many as were kept, or until the timeout."""
    statuses = [{"sampling": {"kept": 10}, "judged": {"seen": seen, "pending": 2}} for seen in (0, 7, 8, 9)]
    gateway = Answers()
    monkeypatch.setattr(gateway, "get", lambda _: statuses.pop(0))
    assert story._wait_until_judged(gateway)["judged"]["seen"] == 8
    monkeypatch.setattr(story, "JUDGED_TIMEOUT_SECONDS", 0.0)
    monkeypatch.setattr(gateway, "get", lambda _: {"sampling": {"kept": 10}, "judged": {"seen": 1, "pending": 0}})
    assert story._wait_until_judged(gateway)["judged"]["seen"] == 1


def test_failed_start_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error has the exit code."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ServerError, match=r"did not start \(exit code 1\)"), start_gateway(tmp_path, "good_int8", 1.0):
        pass


def test_story_is_shown_and_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A short replay with a live table, a sampled shadow, and the last table as a picture."""
    monkeypatch.setattr(story, "traffic", lambda *files: traffic(*files)[:300])
    console = Console(file=io.StringIO(), width=150, height=50, force_terminal=True)
    result = story.run_story(
        "good_int8", 0.5, fast=True, console=console, svg=tmp_path / "board.svg", above=Panel("before")
    )
    assert (result["requests"], result["sampling"], result["trips"]) == (300, 0.5, [])
    assert 90 < int(str(result["compared"])) < 210
    assert isinstance(console.file, io.StringIO)
    assert "good_int8" in console.file.getvalue()
    assert "group quarters" in console.file.getvalue()
    picture = (tmp_path / "board.svg").read_text()
    assert picture.startswith("<svg")
    assert picture.index("before") < picture.index("good_int8") < picture.index("Everybody&#160;stayed")
    assert "url(" not in picture.replace("url(#", ""), "it would be fetched from elsewhere"


def test_last_picture_in_a_file_ends_its_line() -> None:
    """The next text begins a line of its own."""
    console = Console(file=io.StringIO(), width=40)
    with story._live_display(console) as show:
        assert show is not None
        show(Panel("first"))
        show(Panel("last"))
    assert isinstance(console.file, io.StringIO)
    _, *lines = console.file.getvalue().splitlines(keepends=True)
    assert "last" in lines[0]
    assert lines[-1].endswith("╯\n")
