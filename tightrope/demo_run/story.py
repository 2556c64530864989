"""The demo's story: real traffic over real HTTP, a harmed subgroup, an alarm with its evidence, and that subgroup
saved.

The gateway is a process of its own, the very `tightrope run` that anybody would start; all that the story knows of
it, it asks over HTTP. Only the truth (the labels) is the demo's own.
"""

import io
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.panel import Panel

from tightrope.demo.replay import HERE, MODEL, TRAFFIC, Answer, Row, replay, traffic
from tightrope.demo_run.board import Board, Standing, board
from tightrope.demo_run.gateway_process import Gateway, started
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.service.adapters.onnxruntime import OnnxModel

SECONDS = 60.0
"""How long the replay takes at leisure."""

REFRESH = 0.25
"""Seconds between two looks at the gateway."""

SETTLE_SECONDS = 15.0

FIXED = "good_distilled"
"""What is deployed in the third act."""

TRIP = ("scope", "monitor", "at_request", "evidence", "threshold", "limit")
RETURN = ("scope", "monitor", "at_request", "recovery", "limit")
Show = Callable[[Panel], None]


@dataclass
class Tally:
    """What callers of one scope got. ``switched`` is the place of the first answer by the baseline."""

    correct: list[bool] = field(default_factory=list)
    baseline_correct: list[bool] = field(default_factory=list)
    served_by: dict[str, int] = field(default_factory=lambda: {"baseline": 0, "compressed": 0})
    switched: int | None = None

    def add(self, answer: Answer, *, baseline_correct: bool) -> None:
        """Count one answer."""
        if self.switched is None and answer.served_by == "baseline":
            self.switched = len(self.correct)
        self.correct.append(answer.correct)
        self.baseline_correct.append(baseline_correct)
        self.served_by[answer.served_by] += 1

    def accuracy(self, since: int | None) -> dict[str, float | None]:
        """Before and after the switch at place ``since``, and the baseline's on the rows after it (on all without
        one).
        """
        return {
            "before": _mean(self.correct[:since]),
            "after": None if since is None else _mean(self.correct[since:]),
            "baseline": _mean(self.baseline_correct[since or 0 :]),
        }


@dataclass
class Play:
    """A replay in progress, and who is shown what of it."""

    gateway: Gateway
    stage: Board
    rows: list[Row]
    show: Show | None
    tallies: dict[str, Tally]
    sent: int = 0
    looked: float = 0.0

    def act(self, upto: int, *, fast: bool) -> dict[str, Any]:
        """Send the rows up to number ``upto``; the status, once all that was sampled of them has been judged."""
        rows = self.rows[self.sent : upto]
        truth = baseline_correct(rows)
        pace = None if fast else len(self.rows[: self.stage.total]) / SECONDS
        for correct, answer in zip(truth, replay(self.gateway.address, rows, pace), strict=True):
            for scope in (MODEL_SCOPE, *answer.row.scopes):
                self.tallies[scope].add(answer, baseline_correct=correct)
            self.sent += 1
            if self.show and time.monotonic() - self.looked > REFRESH:
                self.looked = time.monotonic()
                self.show(self.picture())
        status = _settled(self.gateway)
        if self.show:
            self.show(self.picture())
        return status

    def picture(self) -> Panel:
        """The board as it is now."""
        return board(self.stage, self.sent, _standings(self.gateway, self.tallies), _moves(self.gateway))


def tell(
    model: str,
    sampling: float,
    *,
    fast: bool,
    console: Console | None,
    svg: Path | None = None,
    third_act: bool = False,
) -> dict[str, object]:
    """Play the whole story and return it as the JSON object that machines get."""
    rows = traffic()
    later = traffic(TRAFFIC[-1:], len(rows)) if third_act else []
    stage = Board(model, sampling, len(rows))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tightrope-") as folder, started(Path(folder), model, sampling) as gateway:
        scopes = gateway.get(f"/v1/models/{MODEL}")["scopes"]
        with _shown(console) as show:
            play = Play(gateway, stage, [*rows, *later], show, {scope: Tally() for scope in scopes})
            status = play.act(len(rows), fast=fast)
            told = told_of(stage, status, trips_of(gateway), play.tallies)
            if svg is not None:
                _draw(play.picture(), svg)
            if third_act:
                told["third_act"] = _third_act(play, fast=fast)
    return {**told, "seconds": round(time.monotonic() - began, 1)}


def _third_act(play: Play, *, fast: bool) -> dict[str, object]:
    """The fixed model is deployed; scopes come back by evidence, and by nothing else."""
    play.gateway.deploy(HERE / f"models/{FIXED}.onnx", "distilled anew, from everybody")
    play.stage = replace(play.stage, model=FIXED, total=len(play.rows))
    status = play.act(len(play.rows), fast=fast)
    returns = [move for move in _moves(play.gateway) if move["what"] == "recovered"]
    told = [{key: move[key] for key in RETURN} for move in returns]
    return {"deployed": FIXED, "returns": told, "still_safe": status["safe"]}


def told_of(
    stage: Board, status: dict[str, Any], trips: list[dict[str, Any]], tallies: dict[str, Tally]
) -> dict[str, object]:
    """The story as machines get it."""
    tripped = {trip["scope"] for trip in trips}
    return {
        "model": stage.model,
        "sampling": stage.sampling,
        "requests": stage.total,
        "compared": status["judged"]["seen"] + status["judged"]["pending"],
        "dropped": status["sampling"]["dropped"],
        "trips": trips,
        "accuracy": {s: tally.accuracy(tally.switched if s in tripped else None) for s, tally in tallies.items()},
        "served_by": {scope: dict(tally.served_by) for scope, tally in tallies.items()},
    }


@contextmanager
def _shown(console: Console | None) -> Iterator[Any]:
    """How to show a board, or None when nobody looks."""
    if console is None:
        yield None
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda picture: live.update(picture, refresh=True)


def _draw(picture: Panel, path: Path) -> None:
    console = Console(record=True, width=112, file=io.StringIO(), force_terminal=True)
    console.print(picture)
    # Without the fonts that Rich would fetch from elsewhere: a picture should show what it holds.
    path.write_text(re.sub(r"@font-face {.*?}", "", console.export_svg(title="tightrope demo"), flags=re.DOTALL))


def _standings(gateway: Gateway, tallies: dict[str, Tally]) -> list[Standing]:
    """What each scope looks like now: what callers got, what the judge says."""
    status = gateway.get(f"/v1/models/{MODEL}")
    verdicts = gateway.get(f"/v1/models/{MODEL}/verdicts")["verdicts"]
    whole = status["scopes"][MODEL_SCOPE]
    standings = []
    for scope, tally in tallies.items():
        said = [v for v in verdicts if v["scope"] == scope]
        standings.append(
            Standing(
                scope=scope,
                requests=len(tally.correct),
                compared=status["judged"]["scopes"][scope]["compared"],
                disagreement=next((v["mean"] for v in said if v["monitor"] == "disagreement"), None),
                evidence=max((v["evidence"] or 0.0 for v in said), default=0.0),
                budget=max((v["threshold"] for v in said), default=1.0),
                state=status["scopes"][scope] if whole == "normal" else whole,
                accuracy=_mean(tally.correct[-500:]),
            )
        )
    return standings


def trips_of(gateway: Gateway) -> list[dict[str, Any]]:
    """Every scope that was sent to safe mode, with the case against the compressed model."""
    return [{key: move[key] for key in TRIP} for move in _moves(gateway) if move["what"] == "breach"]


def _moves(gateway: Gateway) -> list[dict[str, Any]]:
    """Every scope that changed hands by evidence, with the strongest case for it."""
    events = gateway.get(f"/v1/events?model={MODEL}&limit=1000")["events"]
    return [
        {
            "what": event["kind"],
            "scope": event["scope"],
            "monitor": case["monitor"],
            "at_request": int(event["detail"]["request_id"].rpartition("-")[2]) + 1,
            "evidence": round(case["evidence"] or 0.0, 3),
            "recovery": round(case["recovery"] or 0.0, 3),
            "threshold": round(case["threshold"], 3),
            "limit": case["limit"],
        }
        for event in events
        if event["kind"] in {"breach", "recovered"} and event["detail"]["moved"]
        for case in event["detail"]["monitors"][:1]
    ]


def _settled(gateway: Gateway) -> dict[str, Any]:
    """The status, once everything that was sampled has been judged."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        status = gateway.get(f"/v1/models/{MODEL}")
        judged = status["judged"]
        if judged["seen"] + judged["pending"] >= status["sampling"]["kept"] or time.monotonic() > deadline:
            return status
        time.sleep(0.05)


def baseline_correct(rows: list[Row]) -> list[bool]:
    """Whether the baseline alone would have told each caller the truth."""
    model = OnnxModel(HERE / "models/baseline_fp32.onnx")
    codes = np.array([row.codes for row in rows], dtype=np.float32)
    predicted = model.run({"input": codes}, ["probabilities"])["probabilities"].argmax(axis=1)
    return [int(p) == row.label for p, row in zip(predicted, rows, strict=True)]


def _mean(values: list[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
