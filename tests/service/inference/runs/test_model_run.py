"""The reading of a run by a kind, and the errors of outputs that are no answer."""

from pathlib import Path

import numpy as np

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Fault, Role
from tightrope.service.inference.runs.model_run import ModelRun, UnreadableError, UnsplittableError, read_by_kind

INPUTS = {"input": np.zeros((2, 2), np.float32)}


def read(folder: Path, output: np.ndarray) -> ModelRun:
    """Read this output for two rows by the kind of a pair."""
    pair = pair_of(folder, **sure_and_unsure(folder), decision={"kind": "regression", "tolerance": 0.1})
    assert pair.kind is not None
    return read_by_kind(pair, pair.kind, Role.BASELINE, {pair.output: output}, 2, 0.1, INPUTS)


def test_run_of_sound_rows_is_readable(tmp_path: Path) -> None:
    """It keeps the reading, which was cheap."""
    run = read(tmp_path, np.zeros((2, 2), np.float32))
    assert run.is_readable
    assert run.reading is not None
    assert (run.summary.fault, run.summary.confidence) == ([Fault.NONE] * 2, ())


def test_row_that_is_not_finite_is_a_fault(tmp_path: Path) -> None:
    """The other one is read."""
    run = read(tmp_path, np.array([[np.nan, 0.0], [0.0, 1.0]], np.float32))
    assert not run.is_readable
    assert run.summary.fault == [Fault.NOT_FINITE, Fault.NONE]


def test_outputs_that_cannot_be_cut_cannot_be_read() -> None:
    """The engine then runs each request alone."""
    assert issubclass(UnsplittableError, UnreadableError)
