import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from ruamel.yaml import YAML

from tests.support.commands import tightrope
from tests.support.configs import ROOT
from tests.support.csv_tables import pair_config, pair_settings, read_settings, write_table
from tightrope.monitors.compare import certainty, refusal_mask
from tightrope.monitors.records import Role
from tightrope.monitors.thresholds import upper_bound
from tightrope.offline.calibrate import Calibration, calibrate
from tightrope.offline.pair_evaluation import prepare
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.row_files.row_file import RowFileError

DEMO = ROOT / "demo" / "tightrope.yaml"
GOLDEN = ROOT / "demo" / "data" / "golden.csv"


def overconfident(rows: int, seed: int = 0) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return features (rows, 2) and labels: the surest rows of the weights are nearly always right, the
    others in 60 %.
    """
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.5, 1.0, rows)
    wrong = rng.random(rows) < np.where(chance > 0.75, 0.002, 0.4)
    return np.stack([np.log(chance / (1 - chance)), np.zeros(rows)], axis=1), wrong


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 4,000 labelled rows of the overconfident pair."""
    return write_table(tmp_path_factory.mktemp("data") / "data.csv", *overconfident(4000))


def calibrated(folder: Path, data: Path, *, risk: float = 0.05, delta: float = 0.05, **changes: object) -> Calibration:
    """Calibrate a pair on these rows; ``changes`` are to its configuration."""
    return calibrate(pair_settings(folder, **changes), data, None, risk, delta)  # type: ignore[arg-type]


@pytest.mark.parametrize("score", ["max_probability", "margin", "entropy"])
def test_configured_threshold_accepts_the_reported_rows(tmp_path: Path, data: Path, score: str) -> None:
    """With the printed line pasted, for each score, the models refuse exactly the other rows."""
    result = calibrated(tmp_path, data, refusal={"score": score, "threshold": 0.9})
    assert result.refusal is not None
    assert result.problems == ()
    trial = prepare(pair_settings(tmp_path, refusal=result.refusal), None, data)
    for role, choice in ((Role.BASELINE, result.baseline), (Role.COMPRESSED, result.compressed)):
        assert choice.chosen is not None
        reading = trial.answers(role)
        accepted = ~refusal_mask(reading, trial.pair.decision, role)
        wrong = reading.values.argmax(axis=1) != trial.table.labels
        assert (accepted.sum(), (accepted & wrong).sum()) == (choice.chosen.accepted, choice.chosen.wrong)
        assert choice.chosen.bound <= 0.05
        assert choice.chosen.accepted > 2000, "half of the rows are nearly always right"


def test_scores_rank_two_classes_alike(tmp_path: Path, data: Path) -> None:
    """With two classes all scores give the same order; entropy gives it reversed."""
    chosen = [
        calibrated(tmp_path, data, refusal={"score": score, "threshold": 0.9}).baseline.chosen
        for score in ("max_probability", "margin", "entropy")
    ]
    assert len({(point.accepted, point.wrong) for point in chosen if point}) == 1
    probability, margin, entropy = (point.threshold for point in chosen if point)
    assert margin == pytest.approx(2 * probability - 1, abs=1e-3)
    assert entropy == pytest.approx(
        float(certainty(np.array([[probability, 1 - probability]]), "entropy")[0]), abs=1e-3
    )  # type: ignore[arg-type]


def test_curve_has_coverage_against_risk(tmp_path: Path, data: Path) -> None:
    """From all rows to a twentieth of them, each bound is at its part of delta and above the observed risk."""
    result = calibrated(tmp_path, data).baseline
    assert result.steps == 12
    assert [point.accepted for point in result.curve] == [*range(4000, 0, -400), 200]
    for point in result.curve:
        assert point.bound == upper_bound(point.wrong, point.accepted, 0.05 / 12) > point.wrong / point.accepted
    assert result.curve[0].wrong / 4000 == pytest.approx(0.2, abs=0.02)


def test_lower_risk_accepts_less(tmp_path: Path, data: Path) -> None:
    """A lower delta also accepts less."""
    loose, strict = (
        calibrated(tmp_path, data, risk=0.1).baseline.chosen,
        calibrated(tmp_path, data, risk=0.02).baseline.chosen,
    )
    surer = calibrated(tmp_path, data, risk=0.1, delta=1e-6).baseline.chosen
    assert loose is not None
    assert strict is not None
    assert surer is not None
    assert strict.accepted < surer.accepted < loose.accepted


def test_too_few_labels_report_the_number_needed(tmp_path: Path) -> None:
    """Fifty correct rows: 5 % needs at least 59, and 94 in a search of six steps."""
    inputs, _ = overconfident(50)
    result = calibrated(tmp_path, write_table(tmp_path / "few.csv", inputs, np.zeros(50)))
    assert (result.baseline.chosen, result.compressed.chosen, result.refusal) == (None, None, None)
    text = (
        "no threshold: needs at least 59 labels accepted with no error, 94 in a search of 6 steps; the lowest bound on "
        f"its curve is {upper_bound(0, 50, 0.05 / 6):.1%}, at 50 accepted, 0 of them wrong"
    )
    assert result.problems == (f"baseline: {text}", f"compressed: {text}")


def test_persistence_raises_the_threshold_of_an_overconfident_model(tmp_path: Path) -> None:
    """The baseline is unsure of half of its rows, the compressed model sure of all, and right. By risk alone it could
    accept everything; persistence makes it refuse the rows that the baseline refuses.
    """
    rng = np.random.default_rng(1)
    rows = 3000
    score = rng.uniform(0.1, 3.0, rows)
    unsure = np.arange(rows) % 2 == 0
    labels = unsure & (rng.random(rows) < 0.4)
    hint = np.where(unsure, np.where(labels, -8.0, 0.0), 1.0)  # only the compressed model can read it
    data = write_table(tmp_path / "data.csv", np.stack([np.where(unsure, score / 10, 2 + score), hint], axis=1), labels)
    compressed = [[1, 0], [1, 0]]
    alone = calibrated(tmp_path, data, compressed=compressed, limits={"refusal_persistence": None}).compressed.chosen
    both = calibrated(tmp_path, data, compressed=compressed)
    assert alone is not None
    assert both.compressed.chosen is not None
    assert both.persistence is not None
    assert alone.accepted == rows
    assert both.compressed.chosen.threshold > alone.threshold
    assert both.persistence.bound <= 0.1


def test_persistence_needs_refusals(tmp_path: Path) -> None:
    """If the baseline refuses nothing, it is unknown whether the compressed model would refuse the same rows."""
    inputs, _ = overconfident(500)
    result = calibrated(tmp_path, write_table(tmp_path / "good.csv", inputs, np.zeros(500)))
    assert result.baseline.chosen is not None
    assert result.baseline.chosen.accepted == 500
    assert result.compressed.chosen is None
    (problem,) = result.problems
    assert problem.startswith("compressed: no threshold: needs at least 29 rows that the baseline refuses, nearly all")
    assert problem.endswith("this file has 0")


def test_persistence_may_leave_too_few_rows(tmp_path: Path) -> None:
    """The compressed model is surest of 40 of the rows that the baseline refuses: above most of them too few rows
    remain to bound the risk.
    """
    score = np.concatenate([np.full(40, 0.1), np.full(300, 3.0), np.full(260, 0.2)]) + np.arange(600) / 1e4
    labels = (np.arange(600) >= 340) & (np.arange(600) % 2 == 0)
    data = write_table(tmp_path / "data.csv", np.stack([score, np.repeat([6.0, 0.0], [40, 560])], axis=1), labels)
    result = calibrated(tmp_path, data, compressed=[[1, 0], [1, 0]])
    assert result.baseline.chosen is not None
    assert result.compressed.chosen is None
    assert result.problems == (
        "compressed: no threshold: where refusals persist too few rows are left to bound the risk",
    )


def test_configured_action_is_kept(tmp_path: Path, data: Path) -> None:
    """The printed line does not turn an escalation into a flag."""
    result = calibrated(tmp_path, data, refusal={"threshold": 0.9, "action": "escalate"})
    assert result.refusal is not None
    assert result.refusal["action"] == "escalate"
    assert list(calibrated(tmp_path, data).refusal or {}) == ["score", "threshold", "compressed_threshold"]


@pytest.mark.parametrize(
    ("option", "risk", "delta"), [("--risk", 0.0, 0.1), ("--risk", 1.0, 0.1), ("--delta", 0.1, 1.5)]
)
def test_invalid_probabilities_are_refused(tmp_path: Path, data: Path, option: str, risk: float, delta: float) -> None:
    """The error names the option."""
    with pytest.raises(ConfigError, match=rf"^{option}: is \S+; it must lie above 0 and below 1$"):
        calibrated(tmp_path, data, risk=risk, delta=delta)


def test_missing_labels_are_refused(tmp_path: Path) -> None:
    """The error names the missing column."""
    with pytest.raises(
        RowFileError, match=r"data\.csv: has no column 'label'; thresholds need the true class of every row"
    ):
        calibrated(tmp_path, write_table(tmp_path / "data.csv", [[0, 0]]))


def test_label_out_of_range_is_refused(tmp_path: Path) -> None:
    """The error names its line."""
    data = write_table(tmp_path / "data.csv", [[0, 0], [0, 0]], [1, 2])
    with pytest.raises(RowFileError, match=r"data\.csv: line 3: column 'label': is 2; there are 2 classes$"):
        calibrated(tmp_path, data)


def test_regression_is_refused(tmp_path: Path, data: Path) -> None:
    """A regression has no certainty."""
    with pytest.raises(ConfigError, match=r"^models\.m\.decision\.scale: a regression has no certainty to refuse by$"):
        calibrated(tmp_path, data, decision={"scale": "regression"})


def test_demo_is_calibrated(tmp_path: Path) -> None:
    """The demo's rows give both tables, the guarantee, and a line that the configuration accepts."""
    ended = tightrope("calibrate", DEMO, GOLDEN, "--risk", "0.1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("<- chosen") == 2
    assert "the baseline refuses the compressed model refuses 99." in " ".join(ended.stdout.split())
    line = ended.stdout.splitlines()[-1]
    pasted = YAML(typ="safe").load(line)["refusal"]
    settings = pair_settings(tmp_path, refusal=pasted).models["m"].refusal
    assert settings is not None
    assert 0.8 < settings.threshold < 0.9
    assert settings.compressed_threshold is not None
    assert 0.8 < settings.compressed_threshold < 0.9


def test_demo_is_calibrated_as_json() -> None:
    """The result is one line of JSON with the points of the curves."""
    ended = tightrope("calibrate", DEMO, GOLDEN, "--risk", "0.1", "--json")
    result = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert result["ok"] is True
    assert result["rows"] == 4000
    assert result["refusal"]["threshold"] == result["baseline"]["chosen"]["threshold"]
    assert len(result["compressed"]["curve"]) == 11


def test_demo_without_proof_ends_with_code_1() -> None:
    """4,000 rows of this pair cannot prove 2 %: there is no line to paste, and one problem for each model."""
    ended = tightrope("calibrate", DEMO, GOLDEN, "--risk", "0.02")
    assert ended.returncode == 1
    assert "refusal:" not in ended.stdout
    errors = ended.stderr.splitlines()
    assert [re.sub(";.*", "", line) for line in errors] == [
        f"error {role}: no threshold: needs at least 149 labels accepted with no error, 272 in a search of 12 steps"
        for role in Role
    ]
    machine = tightrope("calibrate", DEMO, GOLDEN, "--risk", "0.02", "--json")
    result = json.loads(machine.stdout)
    assert (machine.returncode, result["ok"], result["refusal"]) == (1, False, None)
    assert [f"error {line}" for line in result["problems"]] == errors


def test_unusable_file_is_one_line(tmp_path: Path) -> None:
    """Markup in its name does no harm, and there is no traceback."""
    path = tmp_path / "[bold]none.csv"
    ended = tightrope("calibrate", DEMO, path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"error {path}: cannot be read: No such file or directory"]


def test_model_option_chooses_the_model(tmp_path: Path, data: Path) -> None:
    """The configuration has several models."""
    config = pair_config(tmp_path)
    config["models"]["n"] = config["models"]["m"]  # type: ignore[index]
    read_settings(tmp_path, config)
    ended = tightrope("calibrate", tmp_path / "tightrope.yaml", data, "--model", "n", "--delta", "0.01", "--json")
    result = json.loads(ended.stdout)
    assert (result["model"], result["delta"]) == ("n", 0.01)
