"""The demo on one machine: replay real traffic over HTTP, harm a subgroup, detect it, and switch it to the baseline.

The gateway is a process of its own, started by `tightrope run`. Everything shown is read from its API; only the true
labels come from the demo's data.
"""

import io
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from tightrope.demo.replay import DEMO_FOLDER, DEMO_MODEL, TRAFFIC_FILES, ReplayAnswer, TrafficRow, replay, traffic
from tightrope.demo_run.board import Board, DemoRun, ScopeProgress
from tightrope.demo_run.closing import closing_sentences
from tightrope.demo_run.gateway_process import HttpGateway, start_gateway
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.verdict import Interval
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.api.overview.phrases import observation

REPLAY_SECONDS = 60.0
"""Duration of the replay without ``fast``."""

REFRESH_SECONDS = 0.25
"""Between two updates of the live table."""

JUDGED_TIMEOUT_SECONDS = 15.0

FIXED_MODEL = "good_distilled"
"""The model that the third act deploys."""

TRIP_KEYS = ("scope", "monitor", "at_request", "evidence", "threshold", "limit", "since", "text")
RETURN_KEYS = ("scope", "monitor", "at_request", "recovery", "limit")
ShowPicture = Callable[[RenderableType], None]


@dataclass
class ScopeTally:
    """Answers to the callers of one scope. ``switched`` is the index of the first answer by the baseline."""

    correct: list[bool] = field(default_factory=list)
    baseline_correct: list[bool] = field(default_factory=list)
    served_by: dict[str, int] = field(default_factory=lambda: {"baseline": 0, "compressed": 0})
    switched: int | None = None

    def add(self, answer: ReplayAnswer, *, baseline_correct: bool) -> None:
        """Count one answer."""
        if self.switched is None and answer.served_by == "baseline":
            self.switched = len(self.correct)
        self.correct.append(answer.correct)
        self.baseline_correct.append(baseline_correct)
        self.served_by[answer.served_by] += 1

    def accuracy(self, since: int | None) -> dict[str, float | None]:
        """Return the accuracy before and after the switch at index ``since``, and the baseline's own on the rows after
        it; without a switch, the baseline's on all rows.
        """
        return {
            "before": _mean(self.correct[:since]),
            "after": None if since is None else _mean(self.correct[since:]),
            "baseline": _mean(self.baseline_correct[since or 0 :]),
        }


@dataclass
class ReplaySession:
    """A replay in progress: the rows, how many of them are sent, the answers, and the live table if there is one.
    ``deployed_at`` is the number of the first request after a deployment, None before it.
    """

    gateway: HttpGateway
    run: DemoRun
    rows: list[TrafficRow]
    show: ShowPicture | None
    tallies: dict[str, ScopeTally]
    sent: int = 0
    shown_at: float = 0.0
    deployed_at: int | None = None

    def send_until(self, end: int, *, fast: bool) -> dict[str, Any]:
        """Send the rows up to index ``end``, wait until their samples are judged, and return the model's status."""
        rows = self.rows[self.sent : end]
        per_second = None if fast else len(self.rows[: self.run.total]) / REPLAY_SECONDS
        answers = replay(self.gateway.address, rows, per_second)
        for correct, answer in zip(baseline_correct(rows), answers, strict=True):
            for scope in (MODEL_SCOPE, *answer.row.scopes):
                self.tallies[scope].add(answer, baseline_correct=correct)
            self.sent += 1
            if self.show and time.monotonic() - self.shown_at > REFRESH_SECONDS:
                self.shown_at = time.monotonic()
                self.show(self.board())
        status = _wait_until_judged(self.gateway)
        if self.show:
            self.show(self.board())
        return status

    def board(self) -> Board:
        """Return the picture of the current state."""
        changes = _mode_changes(self.gateway)
        if self.deployed_at is not None:
            changes.append({"what": "deployed", "at_request": self.deployed_at})
        return Board(self.run, self.sent, _progress(self.gateway, self.tallies), changes)


def run_story(
    model: str,
    sampling: float,
    *,
    fast: bool,
    console: Console | None,
    svg: Path | None = None,
    third_act: bool = False,
    above: Panel | None = None,
) -> dict[str, object]:
    """Run the demo and return its result as a JSON object; ``third_act`` deploys a fixed model at the end. In the
    picture ``svg`` the last table has ``above`` it, and the closing sentences below.
    """
    rows = traffic()
    later = traffic(TRAFFIC_FILES[-1:], len(rows)) if third_act else []
    run = DemoRun(model, sampling, len(rows))
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="tightrope-") as folder,
        start_gateway(Path(folder), model, sampling) as gateway,
        _live_display(console) as show,
    ):
        scopes = gateway.get(f"/v1/models/{DEMO_MODEL}")["scopes"]
        session = ReplaySession(gateway, run, [*rows, *later], show, {scope: ScopeTally() for scope in scopes})
        status = session.send_until(len(rows), fast=fast)
        result = story_result(run, status, trips(gateway), session.tallies)
        if svg is not None:
            _save_svg([*([above] if above else []), session.board(), *map(Text, closing_sentences(result))], svg)
        if third_act:
            result["third_act"] = _third_act(session, fast=fast)
    return {**result, "seconds": round(time.monotonic() - began, 1)}


def _third_act(session: ReplaySession, *, fast: bool) -> dict[str, object]:
    """Deploy the fixed model and send the rest of the rows; scopes return only by evidence."""
    session.gateway.deploy(DEMO_FOLDER / f"models/{FIXED_MODEL}.onnx", "distilled anew, from everybody")
    session.run = replace(session.run, model=FIXED_MODEL, total=len(session.rows))
    session.deployed_at = session.sent + 1
    status = session.send_until(len(session.rows), fast=fast)
    returns = [change for change in _mode_changes(session.gateway) if change["what"] == "recovered"]
    shown = [{key: change[key] for key in RETURN_KEYS} for change in returns]
    return {"deployed": FIXED_MODEL, "returns": shown, "still_safe": status["safe"]}


def story_result(
    run: DemoRun, status: dict[str, Any], trips: list[dict[str, Any]], tallies: dict[str, ScopeTally]
) -> dict[str, object]:
    """Return the result of a replay as a JSON object."""
    tripped = {trip["scope"] for trip in trips}
    return {
        "model": run.model,
        "sampling": run.sampling,
        "requests": run.total,
        "compared": status["judged"]["seen"] + status["judged"]["pending"],
        "dropped": status["sampling"]["dropped"],
        "trips": trips,
        "accuracy": {s: tally.accuracy(tally.switched if s in tripped else None) for s, tally in tallies.items()},
        "served_by": {scope: dict(tally.served_by) for scope, tally in tallies.items()},
    }


@contextmanager
def _live_display(console: Console | None) -> Iterator[ShowPicture | None]:
    """Yield a function that shows a picture in place of the one before, or None without a console."""
    if console is None:
        yield None
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda picture: live.update(picture, refresh=True)
    if not console.is_terminal:
        console.line()  # in a file the last picture has no end of line


def _save_svg(pictures: Sequence[RenderableType], path: Path) -> None:
    console = Console(record=True, width=112, height=48, file=io.StringIO(), force_terminal=True)
    console.print(Group(*pictures))
    # Rich's SVG loads fonts from the network; removed, so that the picture is complete in itself.
    path.write_text(re.sub(r"@font-face {.*?}", "", console.export_svg(title="tightrope demo"), flags=re.DOTALL))


def _progress(gateway: HttpGateway, tallies: dict[str, ScopeTally]) -> list[ScopeProgress]:
    """Return each scope's state, from its answers and the judge's verdicts; the strongest monitor's evidence counts."""
    status = gateway.get(f"/v1/models/{DEMO_MODEL}")
    verdicts = gateway.get(f"/v1/models/{DEMO_MODEL}/verdicts")["verdicts"]
    model_state = status["scopes"][MODEL_SCOPE]
    progress = []
    for scope, tally in tallies.items():
        own = [verdict for verdict in verdicts if verdict["scope"] == scope]
        leading = next((v for v in own if v["monitor"] == "disagreement"), None)
        progress.append(
            ScopeProgress(
                scope=scope,
                requests=len(tally.correct),
                disagreement=leading["now"] if leading else None,
                limit=leading["limit"] if leading else None,
                evidence=max((v["evidence"] or 0.0 for v in own), default=0.0),
                budget=max((v["threshold"] for v in own), default=1.0),
                state=status["scopes"][scope] if model_state == "normal" else model_state,
                accuracy=_mean(tally.correct[-500:]),
            )
        )
    return progress


def trips(gateway: HttpGateway) -> list[dict[str, Any]]:
    """Return every scope that went to safe mode, with the evidence against the compressed model."""
    return [{key: change[key] for key in TRIP_KEYS} for change in _mode_changes(gateway) if change["what"] == "breach"]


def _mode_changes(gateway: HttpGateway) -> list[dict[str, Any]]:
    """Return every change of a scope's mode that evidence caused, with the strongest monitor's evidence."""
    events = gateway.get(f"/v1/events?model={DEMO_MODEL}&after=0&limit=1000")["events"]
    return [
        {
            "what": event["kind"],
            "scope": event["scope"],
            "monitor": verdict["monitor"],
            "at_request": gateway.request_number(event["detail"]["request_digest"]),
            "evidence": round(verdict["evidence"] or 0.0, 3),
            "recovery": round(verdict["recovery"] or 0.0, 3),
            "threshold": round(verdict["threshold"], 3),
            "limit": verdict["limit"],
            "since": verdict["since"],
            "text": verdict["text"],
            "observation": _observation(verdict),
        }
        for event in events
        if event["kind"] in {"breach", "recovered"} and event["detail"]["moved"]
        for verdict in event["detail"]["monitors"][:1]
    ]


def _observation(verdict: dict[str, Any]) -> str:
    """The rate of a verdict as people say it; empty where nothing was compared."""
    return observation(verdict["monitor"], verdict["variant"], Interval(**verdict["now"])) if verdict["now"] else ""


def _wait_until_judged(gateway: HttpGateway) -> dict[str, Any]:
    """Poll the model's status until every sample is judged, or until the timeout, and return it."""
    deadline = time.monotonic() + JUDGED_TIMEOUT_SECONDS
    while True:
        status = gateway.get(f"/v1/models/{DEMO_MODEL}")
        judged = status["judged"]
        if judged["seen"] + judged["pending"] >= status["sampling"]["kept"] or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def baseline_correct(rows: list[TrafficRow]) -> list[bool]:
    """Return whether the baseline alone predicts each row's label, (n,)."""
    model = OnnxModel(DEMO_FOLDER / "models/baseline_fp32.onnx")
    codes = np.array([row.codes for row in rows], dtype=np.float32)
    predicted = model.run({"input": codes}, ["probabilities"])["probabilities"].argmax(axis=1)
    return [int(p) == row.label for p, row in zip(predicted, rows, strict=True)]


def _mean(values: list[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
