"""The search for hotspots: the baseline with one tensor changed at a time, compared with itself in every scope.

The tensors that lose most are tried first, because time may end. How much a tensor loses says little about who is
harmed: that is measured on the rows.
"""

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tightrope import __version__
from tightrope.monitors.qualification.cells import MeasuredCell
from tightrope.monitors.records import MODEL_SCOPE
from tightrope.offline.pair_evaluation import PairEvaluation, load_pair
from tightrope.offline.qualification.criteria import plan_criteria
from tightrope.offline.qualification.runner import QualificationRun
from tightrope.offline.qualification.stages import StageStore, TimedProgress
from tightrope.offline.sweep.criteria_choice import only_criteria
from tightrope.offline.sweep.hotspot import Hotspot
from tightrope.offline.sweep.report import SweepReport
from tightrope.offline.sweep.swept_rows import SweptRows
from tightrope.offline.sweep.variant_run import compare_variant
from tightrope.offline.sweep.variants import with_compressed
from tightrope.service.adapters.model_files import find_files
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.row_files.row_file import RowFileError

if TYPE_CHECKING:
    from tightrope.offline.sweep.making.tensor_changes import TensorTrial

MOST_TRIALS = 40
LEAST_GROUP_ROWS = 30
"""A group with fewer rows is not named as the worst one: its share is chance."""


def find_hotspots(
    settings: Settings, report: SweepReport, rows: SweptRows, progress: TimedProgress
) -> tuple[list[Hotspot], int]:
    """Try the tensors of the baseline; return what was measured, the largest share first, and the number of the trials
    that were not made.

    Raises:
        QualificationStateError: when a finished trial cannot be kept.
    """
    from tightrope.offline.sweep.making.tensor_changes import tensor_trials  # noqa: PLC0415 - only with the extra

    every = tensor_trials(report.baseline)
    trials = every[:MOST_TRIALS]
    parts = "hotspots", find_files(report.baseline).digest, report.criteria_digest, rows.digest, __version__
    store = StageStore.open(settings.state.folder, hashlib.sha256("\n".join(parts).encode()).hexdigest())
    search = _HotspotSearch(settings, report, rows, progress)
    found = [
        store.run(f"{trial.change} {trial.tensor}", Hotspot, lambda trial=trial: search.measure(trial))  # type: ignore[misc]
        for trial in trials
    ]
    if None not in found:
        store.remove()
    measured = sorted((each for each in found if each is not None), key=lambda each: -each.order)
    return measured, len(every) - len(measured)


class _HotspotSearch:
    def __init__(self, settings: Settings, report: SweepReport, rows: SweptRows, progress: TimedProgress) -> None:
        self._settings, self._report, self._rows, self._progress = settings, report, rows, progress

    def measure(self, trial: "TensorTrial") -> Hotspot:
        """Compare the changed baseline with the baseline; one that cannot answer has no shares.

        Raises:
            TimeIsUpError: when no time is left.
        """
        from tightrope.offline.sweep.making.tensor_changes import write_changed  # noqa: PLC0415 - as above

        self._progress.begin(f"hotspots: {trial.tensor}, {trial.change}", 1)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "changed.onnx"
            write_changed(self._report.baseline, trial, path)
            try:
                cells = self._cells(path)
            except (ConfigError, RowFileError):
                cells = []
        seen: dict[str, float] = {}
        rows: dict[str, int] = {}
        for cell in cells:
            if cell.evidence is not None and cell.evidence.seen is not None:
                seen[cell.scope] = max(seen.get(cell.scope, 0.0), abs(cell.evidence.seen))
                rows[cell.scope] = cell.evidence.rows
        groups = [scope for scope in seen if scope != MODEL_SCOPE and rows[scope] >= LEAST_GROUP_ROWS]
        return Hotspot(
            tensor=trial.tensor,
            change=str(trial.change),
            decibels=trial.decibels,
            seen=seen,
            worst=max(groups, key=seen.__getitem__, default=None),
        )

    def _cells(self, path: Path) -> list[MeasuredCell]:
        """The cells of the shown criterion on all rows."""
        settings = with_compressed(self._settings, self._report.model, path)
        pair = load_pair(settings, self._report.model)
        plan = only_criteria(plan_criteria(pair, settings), [self._report.shown_criterion])
        evaluation = PairEvaluation(pair, self._rows.table, self._progress)
        run = QualificationRun(evaluation, settings, plan, self._progress, stress=False)
        everything = np.ones(len(self._rows.chosen), dtype=bool)
        return compare_variant(run).cells(plan, everything, self._progress)
