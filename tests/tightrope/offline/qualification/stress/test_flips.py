from pathlib import Path

import numpy as np

from tests.support.qualified_pair import sided_rows, sided_settings
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.stress.columns import NotApplicableError, copied
from tightrope.offline.qualification.stress.flips import Change, FlipFigures, FlipMeasuring


def shifted(by: float) -> Change:
    """Shift the first column of every row."""

    def change(parts: object) -> list[dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
        moved = [copied(part) for part in parts]  # type: ignore[attr-defined]
        for part in moved:
            part["input"][:, 0] += by
        return moved

    return change


def test_flips_of_both_models_and_their_difference_are_measured(tmp_path: Path) -> None:
    """Rows that nothing changes flip no answer; rows that cross the border flip the baseline's."""
    measuring = FlipMeasuring(prepare(sided_settings(tmp_path), None, sided_rows(tmp_path)))
    assert measuring.measure(shifted(0.0)) == FlipFigures(rows=1000, differ_before=0.04, differ_after=0.04)
    crossed = measuring.measure(shifted(5.0))
    assert crossed.flips_baseline > 0.3
    assert crossed.flips_compressed > 0.3
    assert crossed.differ_after != crossed.differ_before


def test_scenario_that_does_not_apply_says_why(tmp_path: Path) -> None:
    """Also where a model does not answer the changed rows."""
    measuring = FlipMeasuring(prepare(sided_settings(tmp_path), None, sided_rows(tmp_path)))

    def refused(_: object) -> list[dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]]:
        raise NotApplicableError("no images")

    assert measuring.measure(refused) == FlipFigures(reason="does not apply: no images")
    lost = measuring.measure(shifted(float("nan")))
    assert lost.reason.startswith("does not apply: a model does not answer the changed rows: ")
