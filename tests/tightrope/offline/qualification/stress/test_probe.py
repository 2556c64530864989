from pathlib import Path

import numpy as np
import pytest

from tests.support.csv_tables import read_settings, write_table
from tests.support.onnx_models import classifier
from tests.support.qualified_pair import plan_for, sided_rows, sided_settings
from tightrope.monitors.qualification.cells import judge
from tightrope.monitors.qualification.gap_measures import NO_TOLERANCE
from tightrope.monitors.records import Outcome
from tightrope.offline.pair_evaluation import prepare
from tightrope.offline.qualification.stress.probe import ProbeFigures, probe_cells, run_probe
from tightrope.service.config.loader import ConfigError

ASKED = {"criteria": {"probe": {"model": 0.05}}}


def test_models_that_part_are_found_out(tmp_path: Path) -> None:
    """Equal ones are not; the same seed gives the same figures."""
    equal = run_probe(prepare(sided_settings(tmp_path, [[1, 0], [0, 0]]), None, sided_rows(tmp_path)), 1)
    assert (equal.found, equal.largest) == (0, 0.0)
    harmful = prepare(sided_settings(tmp_path), None, sided_rows(tmp_path))
    assert run_probe(harmful, 1) == run_probe(harmful, 1)
    assert run_probe(harmful, 1).found > 0


def test_probe_says_what_it_does_not_apply_to(tmp_path: Path) -> None:
    """A number without a tolerance has no gap."""
    model = str(classifier(tmp_path / "m.onnx", np.ones((2, 1), np.float32), scores=True))
    section = {"baseline": model, "compressed": model, "decision": {"kind": "regression", "loss": "absolute"}}
    settings = read_settings(tmp_path, {"models": {"m": section}})
    figures = run_probe(prepare(settings, None, write_table(tmp_path / "rows.csv", np.ones((5, 2)))), 1)
    assert figures == ProbeFigures(reason=f"does not apply: {NO_TOLERANCE}")


@pytest.mark.parametrize(
    ("figures", "outcome", "note"),
    [
        (ProbeFigures(starts=400, found=0), Outcome.PASS, ""),
        (ProbeFigures(starts=400, found=44), Outcome.BREACH, ""),
        (None, Outcome.ERROR, "not measured: time"),
        (ProbeFigures(reason="does not apply: x"), Outcome.ERROR, "not measured: does not apply: x"),
    ],
)
def test_probe_is_a_rate_of_starts(tmp_path: Path, figures: ProbeFigures | None, outcome: Outcome, note: str) -> None:
    """A criterion that could not be measured is no pass."""
    (judged,) = judge(list(probe_cells(plan_for(sided_settings(tmp_path, qualification=ASKED)), figures)), 0.05)
    assert (judged.outcome, judged.note) == (outcome, note)


def test_limit_of_the_probe_is_that_of_the_model(tmp_path: Path) -> None:
    """A search is about no subgroup."""
    settings = sided_settings(tmp_path, qualification={"criteria": {"probe": {"subgroups": 0.05}}})
    with pytest.raises(ConfigError, match="is about the whole model; its limit is model"):
        plan_for(settings)
