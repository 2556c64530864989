from collections import Counter
from pathlib import Path

import numpy as np

from tests.support.csv_tables import pair_settings, write_table
from tightrope.offline.calibrate import calibrate
from tightrope.offline.limits import limits
from tightrope.offline.progress import NO_PROGRESS


class Steps:
    """Implements `Progress`: the parts of each step, those that there are and those that were finished."""

    def __init__(self) -> None:
        self.totals: dict[str, int] = {}
        self.finished: Counter[str] = Counter()
        self._step = ""

    def begin(self, step: str, total: int) -> None:
        """Keep the total."""
        self._step = step
        self.totals[step] = total

    def advance(self, parts: int = 1) -> None:
        """Count the parts."""
        self.finished[self._step] += parts


def test_every_part_of_a_step_is_finished(tmp_path: Path) -> None:
    """Runs of both models on every row, alone and in batches, then the cells of the monitors."""
    data = write_table(tmp_path / "data.csv", [[number, 0] for number in range(100)], np.zeros(100))
    settings, steps = pair_settings(tmp_path), Steps()
    result = limits(settings, data, None, 10.0, progress=steps)
    cells = sum(len(monitor.cells) for monitor in result.monitors)
    assert steps.totals == steps.finished == {"running the models": 400, "finding the limits": cells}
    steps = Steps()
    calibrate(settings, data, None, 0.9, 0.5, steps)
    assert steps.totals == steps.finished == {"running the models": 200}


def test_no_progress_shows_nothing() -> None:
    """The default of every command that is called by a program."""
    NO_PROGRESS.begin("a step", 1)
    NO_PROGRESS.advance()
