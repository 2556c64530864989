"""The progress of a long command on a terminal: a bar that vanishes at the end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from tightrope.offline.progress import NO_PROGRESS, NoProgress

QUIET_SECONDS = 1.0
"""Time before a bar appears: a short run needs none."""


class ProgressBar:
    """Implements `offline.progress.Progress` with a bar for the current step."""

    def __init__(self, console: Console, quiet_seconds: float = QUIET_SECONDS) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._step = self._bar.add_task("", start=False, visible=False)
        self._shown_from = time.monotonic() + quiet_seconds

    def begin(self, step: str, total: int) -> None:
        """Show a new step in place of the one before."""
        self._bar.reset(self._step, total=total, description=step, visible=True)
        self._show()

    def advance(self, parts: int = 1) -> None:
        """Move the bar."""
        self._bar.advance(self._step, parts)
        self._show()

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def _show(self) -> None:
        if not self._bar.live.is_started and time.monotonic() >= self._shown_from:
            self._bar.start()


@contextmanager
def show_progress(console: Console, *, json_: bool) -> Iterator[ProgressBar | NoProgress]:
    """Yield a bar where both outputs are a terminal, and something without a display in a pipe or for JSON."""
    if json_ or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield NO_PROGRESS
        return
    bar = ProgressBar(console)
    try:
        yield bar
    finally:
        bar.stop()
