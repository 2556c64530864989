"""The demo's prologue: each compressed model is qualified as by `tightrope qualify`, before anything serves."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.panel import Panel

from tightrope.demo.replay import DEMO_FOLDER
from tightrope.demo_run.gateway_process import demo_config, write_yaml
from tightrope.demo_run.models import DEMO_MODELS
from tightrope.demo_run.prologue_board import GroupHarm, QualifiedModel, Stage, render_prologue
from tightrope.monitors.records import MODEL_SCOPE, Outcome
from tightrope.offline.progress import NO_PROGRESS, Progress
from tightrope.offline.qualification.qualify import QualificationReport, QualifyOptions, qualify
from tightrope.service.config.loader import load

PROLOGUE_SECONDS = 15.0
"""The time that the prologue may take with the pause after it. A slow host goes without the pause; no verdict depends
on the clock.
"""

READING_SECONDS = 4.0
"""The time for which the verdicts stay on a terminal before the replay begins."""

REDRAW_SECONDS = 0.1
STAGES = 4
"""The stages of a model that the bar counts: models, rows, golden answers, changed rows."""

GOLDEN_FILE = DEMO_FOLDER / "data/golden.csv"


def run_prologue(
    tried: str,
    console: Console | None,
    *,
    fast: bool,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Panel, list[QualifiedModel]]:
    """Qualify all compressed models of the demo, show them on a console if there is one, and return the last picture
    and the verdicts. ``tried`` is the model that serves afterwards.
    """
    began = time.monotonic()
    found: list[QualifiedModel] = []
    render = partial(render_prologue, DEMO_MODELS, tried)
    with _live(console) as show:
        for model in DEMO_MODELS:
            progress = NO_PROGRESS if console is None else _ShownStage(lambda stage: show(render(found, stage)))
            found.append(_qualify(model, progress))
        panel = render(found)
        show(panel)
        if console is not None and not fast:
            pause(max(0.0, min(READING_SECONDS, PROLOGUE_SECONDS - (time.monotonic() - began))))
    return panel, found


def _qualify(model: str, progress: Progress) -> QualifiedModel:
    """Judge one model in a folder of its own, without its costs: no criterion is about them."""
    with tempfile.TemporaryDirectory(prefix="tightrope-") as name:
        folder = Path(name)
        settings = load(write_yaml(folder, {**demo_config(model), "state": "state"}))
        options = QualifyOptions(out=folder / "bundle.jsonl", costs=False)
        report = qualify(settings, GOLDEN_FILE, None, options, progress)
    size = (DEMO_FOLDER / f"models/{model}.onnx").stat().st_size
    cells = [each.outcome for each in report.cells]
    return QualifiedModel(
        model, size, report.verdict, len(cells), cells.count(Outcome.PASS), cells.count(Outcome.BREACH), _harm(report)
    )


def _harm(report: QualificationReport) -> GroupHarm | None:
    """The surest harm of a group: of those who get another answer than from the baseline."""
    for judged in report.cells:
        cell, evidence = judged.cell, judged.cell.evidence
        is_group = cell.criterion == "disagreement" and cell.scope != MODEL_SCOPE
        if judged.outcome is Outcome.BREACH and is_group and evidence is not None and evidence.seen is not None:
            return GroupHarm(cell.scope, evidence.seen, evidence.at_least, cell.limit)
    return None


class _ShownStage:
    """Implements `offline.progress.Progress`: shows the stage of the model that is being judged."""

    def __init__(self, show: Callable[[Stage], None]) -> None:
        self._show, self._shown_at = show, 0.0
        self._step, self._begun, self._done, self._total = "", 0, 0, 1

    def begin(self, step: str, total: int) -> None:
        """Show a new stage."""
        self._step, self._begun, self._done, self._total = step, self._begun + 1, 0, total
        self._show_stage()

    def advance(self, parts: int = 1) -> None:
        """Move its bar."""
        self._done += parts
        if time.monotonic() - self._shown_at > REDRAW_SECONDS:
            self._show_stage()

    def _show_stage(self) -> None:
        self._shown_at = time.monotonic()
        share = (self._begun - 1 + self._done / max(self._total, 1)) / STAGES
        self._show(Stage(self._step, min(share, 1.0)))


@contextmanager
def _live(console: Console | None) -> Iterator[Callable[[Any], None]]:
    """Yield a function that shows a picture in place of the one before; without a console it shows nothing."""
    if console is None:
        yield lambda _: None
        return
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda picture: live.update(picture, refresh=True)
    if not console.is_terminal:
        console.line()  # in a file the last picture has no end of line
