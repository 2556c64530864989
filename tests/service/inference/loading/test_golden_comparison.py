"""Both models run on the golden rows once, before traffic; the classes that they say choose the cells of the plan."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.many_classes import CLASSES, GOLDEN_ROWS, merged_classes
from tests.support.serving.service_harness import settings_of
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.app import load_pairs
from tightrope.service.inference.loading import golden_comparison
from tightrope.service.inference.loading.golden_comparison import compare_golden_rows
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.model_pair import ModelPair


def pair_of(folder: Path, **section: object) -> ModelPair:
    """The loaded pair."""
    return load_pairs(settings_of(folder, {"m": merged_classes(folder, **section)}))["m"]  # type: ignore[arg-type]


def rule_of(plan: Plan, name: str) -> Rule:
    """The rule of one monitor."""
    return next(rule for rule in plan.rules if rule.monitor.name == name)


def test_golden_rows_choose_limits_and_cells(tmp_path: Path) -> None:
    """The class that is missed in them has the largest limit; a class of half of the rows is redundant for misses."""
    plan = pair_of(tmp_path).plan
    miss, gain = (rule_of(plan, name) for name in ("class_miss", "class_gain"))
    assert miss.cell_limits[[2, 3, 4], 0].tolist() == [0.177, 0.7, 0.177]
    assert gain.cell_limits[4, 0] == 0.7
    assert np.flatnonzero(~miss.has_cell[:, 0]).tolist() == [0]
    assert gain.has_cell.all()
    assert float((miss.shares[0] * miss.weights).sum()) == pytest.approx(miss.monitor.share)


def test_critical_class_keeps_its_cell(tmp_path: Path) -> None:
    """However frequent it is."""
    assert rule_of(pair_of(tmp_path, decision={"critical": [0]}).plan, "class_miss").has_cell.all()


def test_written_limit_holds_for_every_class(tmp_path: Path) -> None:
    """A person has decided; with a larger limit fewer classes are redundant."""
    rule = rule_of(pair_of(tmp_path, limits={"class_miss": 0.15}).plan, "class_miss")
    assert (rule.variant_limits, rule.limits.tolist()) == (None, [0.15])


def test_plan_without_golden_rows_has_the_default_cells(tmp_path: Path) -> None:
    """Golden rows that change no cell leave the digest what it is; those that do make it another."""
    plain, chosen = pair_of(tmp_path, golden=False).plan, pair_of(tmp_path).plan
    assert rule_of(plain, "class_miss").variant_limits is None
    assert rule_of(plain, "class_miss").has_cell.all()
    assert plain.digest != chosen.digest
    assert pair_of(tmp_path).plan.digest == chosen.digest
    written = {"class_miss": None, "class_gain": 0.2, "clear_disagreement": None}
    without, unchanged = (pair_of(tmp_path, golden=golden, limits=written).plan for golden in (False, True))
    assert without.digest == unchanged.digest


def test_rows_are_compared_as_the_worker_compares_them(tmp_path: Path) -> None:
    """In order, with their subgroups; the row of class 3 differs."""
    subgroups = {"first": {"column": 0, "values": {"yes": [1]}}}
    settings = settings_of(tmp_path, {"m": merged_classes(tmp_path, subgroups=subgroups)})
    pair = load_pairs(settings)["m"]
    golden = golden_rows(pair, settings)
    assert golden is not None
    rows = compare_golden_rows(pair, golden)
    assert rows is not None
    assert rows.top_baseline.tolist() == np.repeat(np.arange(CLASSES), GOLDEN_ROWS).tolist()
    assert (rows.disagree == (rows.top_baseline == 3)).all()
    assert rows.member[:, 0].sum() == GOLDEN_ROWS[0]


def test_run_that_fails_leaves_the_default_limits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Trouble of monitoring never keeps a model from serving; the log says why."""
    settings = settings_of(tmp_path, {"m": merged_classes(tmp_path)})
    pair = load_pairs(settings)["m"]
    golden = golden_rows(pair, settings)
    assert golden is not None

    class Failing:
        """A model whose runs fail."""

        def run(self, *_: object) -> None:
            """Fail."""
            raise RunFailedError("no memory")

    broken = {**pair.models, Role.COMPRESSED: Failing()}
    object.__setattr__(pair, "models", broken)
    assert compare_golden_rows(pair, golden) is None
    assert "the classes have their default limits: no memory" in caplog.text


def test_comparison_that_takes_too_long_is_given_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start does not wait for it."""
    monkeypatch.setattr(golden_comparison, "MAX_SECONDS", 0.0)
    assert rule_of(pair_of(tmp_path).plan, "class_miss").variant_limits is None
    assert "the classes have their default limits: the comparison takes longer than 0 s" in caplog.text
