"""The demo's story: real traffic over real HTTP, a harmed subgroup, an alarm with its evidence, and that subgroup
saved.

The gateway is a process of its own, the very `tightrope run` that anybody would start; all that the story knows of
it, it asks over HTTP. Only the truth (the labels) is the demo's own.
"""

import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from ruamel.yaml import YAML

from demo.replay import HERE, MODEL, Answer, Row, replay, traffic
from monitors.records import MODEL_SCOPE
from service.adapters.onnx import OnnxModel
from service.errors import ServerError
from tightrope.stage import Board, Standing, board

MODELS = ("bad_distilled_households_only", "good_distilled", "good_int8", "bad_pruned98")
DEFAULT_MODEL = MODELS[0]
SECONDS = 60.0
"""How long the replay takes at leisure."""

REFRESH = 0.25
"""Seconds between two looks at the gateway."""

SETTLE_SECONDS = 15.0
START_SECONDS = 30.0


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


class Gateway:
    """A running `tightrope run`, asked over HTTP like by anybody."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._http = urllib3.PoolManager(retries=False)

    def get(self, path: str) -> dict[str, Any]:
        """One answer of the status API."""
        answer: dict[str, Any] = self._http.request("GET", self.address + path).json()
        return answer


def tell(
    model: str, sampling: float, *, fast: bool, console: Console | None, svg: Path | None = None
) -> dict[str, object]:
    """Play the whole story and return it as the JSON object that machines get."""
    rows = traffic()
    truth = _baseline_correct(rows)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tightrope-") as folder, _started(Path(folder), model, sampling) as gateway:
        tallies = {scope: Tally() for scope in gateway.get(f"/v1/models/{MODEL}")["scopes"]}
        stage = Board(model, sampling, len(rows))
        with _shown(console) as show:
            looked = 0.0
            for number, answer in enumerate(replay(gateway.address, rows, None if fast else len(rows) / SECONDS)):
                for scope in (MODEL_SCOPE, *answer.row.scopes):
                    tallies[scope].add(answer, baseline_correct=truth[number])
                if show and time.monotonic() - looked > REFRESH:
                    looked = time.monotonic()
                    show(board(stage, number + 1, _standings(gateway, tallies), _trips(gateway)))
            status = _settled(gateway)
            picture = board(stage, len(rows), _standings(gateway, tallies), _trips(gateway))
            if show:
                show(picture)
        if svg is not None:
            _draw(picture, svg)
        trips = _trips(gateway)
    return _told(model, sampling, rows, status, trips, tallies, time.monotonic() - began)


def _told(
    model: str,
    sampling: float,
    rows: list[Row],
    status: dict[str, Any],
    trips: list[dict[str, Any]],
    tallies: dict[str, Tally],
    seconds: float,
) -> dict[str, object]:
    tripped = {trip["scope"] for trip in trips}
    return {
        "model": model,
        "sampling": sampling,
        "requests": len(rows),
        "compared": status["judged"]["seen"] + status["judged"]["pending"],
        "dropped": status["sampling"]["dropped"],
        "trips": trips,
        "accuracy": {s: tally.accuracy(tally.switched if s in tripped else None) for s, tally in tallies.items()},
        "served_by": {scope: tally.served_by for scope, tally in tallies.items()},
        "seconds": round(seconds, 1),
    }


@contextmanager
def _started(folder: Path, model: str, sampling: float) -> Iterator[Gateway]:
    """The gateway on a free port, with this model on trial; told to stop at the end."""
    yaml = YAML(typ="safe")
    config = yaml.load(HERE / "tightrope.yaml")
    pair = config["models"][MODEL]
    pair |= {"baseline": str(HERE / "models/baseline_fp32.onnx"), "compressed": str(HERE / f"models/{model}.onnx")}
    config |= {"server": {"port": 0}, "state": "state"}
    pair["sampling"] = {"rate": sampling}
    path = folder / "tightrope.yaml"
    yaml.dump(config, path)
    command = [sys.executable, "-m", "tightrope", "run", str(path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        try:
            yield Gateway(_address(process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(START_SECONDS)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - Popen was given a pipe
    line = process.stdout.readline()
    if not line:
        raise ServerError(
            f"the gateway did not start (exit code {process.wait(START_SECONDS)}); its error stands above"
        )
    return str(json.loads(line)["address"])


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


def _trips(gateway: Gateway) -> list[dict[str, Any]]:
    """Every scope that was sent to safe mode, with the case against the compressed model."""
    events = gateway.get(f"/v1/events?model={MODEL}&limit=1000")["events"]
    return [
        {
            "scope": event["scope"],
            "monitor": case["monitor"],
            "at_request": int(event["detail"]["request_id"].rpartition("-")[2]) + 1,
            "evidence": round(case["evidence"], 3),
            "threshold": round(case["threshold"], 3),
            "limit": case["limit"],
        }
        for event in events
        if event["kind"] == "breach" and event["detail"]["moved"]
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


def _baseline_correct(rows: list[Row]) -> list[bool]:
    """Whether the baseline alone would have told each caller the truth."""
    model = OnnxModel(HERE / "models/baseline_fp32.onnx")
    codes = np.array([row.codes for row in rows], dtype=np.float32)
    predicted = model.run({"input": codes}, ["probabilities"])["probabilities"].argmax(axis=1)
    return [int(p) == row.label for p, row in zip(predicted, rows, strict=True)]


def _mean(values: list[bool]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
