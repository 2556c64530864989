"""Golden rows choose the bins of confidence, once, before traffic."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.support.onnx_models import classifier
from tests.support.serving.service_harness import settings_of
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.history.retained import changed_settings
from tightrope.monitors.observations import TENTHS, bin_names
from tightrope.monitors.plan import Plan, initial_state
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.service.app import load_pairs
from tightrope.service.inference.kinds.calibration_cells import curve_bins
from tightrope.shadow.plan_changes import change_events


def plan_of(folder: Path, *, golden: float = 0.0, **section: object) -> Plan:
    """The plan of a pair of two classes; ``golden`` scales the inputs of golden rows; 0 gives it none."""
    weights = np.array([[2, 0], [0, 2]], np.float32)
    paths = {name: str(classifier(folder / f"{name}.onnx", weights)) for name in ("baseline", "compressed")}
    if golden:
        rows = np.zeros((400, 2), np.float32)
        rows[:, 0] = golden * np.linspace(-1, 1, 400)
        np.savez(folder / "golden.npz", input=rows)
        section["golden"] = "golden.npz"
    settings = settings_of(folder, {"m": {"labels": {}, **paths, **section}})
    return load_pairs(settings)["m"].plan


def calibration_of(plan: Plan) -> Rule:
    """The rule of the calibration monitor."""
    return next(rule for rule in plan.rules if rule.monitor.name == "calibration")


def test_golden_rows_choose_the_bins_of_the_monitor_and_of_the_curves(tmp_path: Path) -> None:
    """Two classes: five bins above a half, all with rows; the budget is split among them."""
    plan = plan_of(tmp_path, golden=1.0)
    assert plan.curves is not None
    assert plan.curves.golden
    assert len(plan.curves.model) == 4
    assert min(plan.curves.model) > 0.5
    rule = calibration_of(plan)
    assert rule.variants == bin_names(plan.curves.model)
    assert float((rule.shares[0] * rule.weights).sum()) == CATALOGUE["calibration"].share


def test_without_golden_rows_bins_are_tenths(tmp_path: Path) -> None:
    """The plan's digest is that of an earlier version, so evidence is kept."""
    plan = plan_of(tmp_path)
    assert plan.curves == CurveBins()
    assert calibration_of(plan).variants == bin_names(TENTHS)
    assert "calibration_edges.model" not in plan.settings


def test_model_without_labels_or_confidence_has_no_curves(tmp_path: Path) -> None:
    """Where a kind offers no confidence, golden rows choose nothing."""
    assert plan_of(tmp_path, labels=None, golden=1.0).curves is None
    assert curve_bins(None, offered=False) is None


def test_switched_off_monitor_leaves_the_curves(tmp_path: Path) -> None:
    """They are for people; the monitor is one thing, the picture another."""
    plan = plan_of(tmp_path, golden=1.0, limits={"calibration": None})
    assert "calibration" not in plan.monitors
    assert plan.curves is not None


def test_other_golden_rows_begin_anew_with_an_event_that_names_the_edges(tmp_path: Path) -> None:
    """Evidence counted in other bins is not carried over."""
    before, after = plan_of(tmp_path), plan_of(tmp_path, golden=1.0)
    assert before.digest != after.digest
    assert plan_of(tmp_path, golden=2.0).digest != after.digest
    assert plan_of(tmp_path, golden=1.0).digest == after.digest
    old = initial_state(before)
    moved = replace(initial_state(after), epoch=old.epoch + 1)
    (event,) = change_events(after, old, moved, 0.0, "host")
    assert event.kind == "configuration-changed"
    assert "calibration_edges.model: None -> [" in event.reason
    assert event.reason.endswith("the evidence starts anew")
    names = "calibration_edges.model", "calibration_edges.subgroups"
    assert {*changed_settings(before.settings, after.settings)}.issuperset(names)
