"""Which monitors a decision has, and the margin of clear rows that is known before traffic."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.many_classes import merged_classes
from tests.support.serving.service_harness import settings_of
from tightrope.monitors.clear_rows.clear_margin import ClearDisagreement, clear_margin
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons
from tightrope.service.app import load_pairs
from tightrope.service.inference.kinds.monitor_specs import LEAST_GOLDEN_ROWS, known_margin, margin_document


def plan_of(folder: Path, **section: object) -> Plan:
    """The plan of a pair of 25 classes."""
    return load_pairs(settings_of(folder, {"m": merged_classes(folder, **section)}))["m"].plan  # type: ignore[arg-type]


def observed(plan: Plan) -> ClearDisagreement | None:
    """How the plan observes clear rows; None without the monitor."""
    found = [rule.monitor.observe for rule in plan.rules if rule.monitor.name == "clear_disagreement"]
    assert len(found) <= 1
    return found[0] if found and isinstance(found[0], ClearDisagreement) else None


def golden(rows: int) -> Comparisons:
    """Compared golden rows with even margins."""
    return Comparisons.from_columns(rows, margin_baseline=np.linspace(0, 1, rows))


def test_margin_is_that_of_a_statement_then_of_golden_rows() -> None:
    """Few golden rows, or none, leave it to the first compared rows."""
    enough, few = golden(LEAST_GOLDEN_ROWS), golden(LEAST_GOLDEN_ROWS - 1)
    assert known_margin(0.25, enough) == 0.25
    assert known_margin(None, enough) == clear_margin(enough.margin_baseline) == pytest.approx(0.1, abs=0.01)
    assert [known_margin(None, rows) for rows in (few, None)] == [None, None]


def test_margin_is_part_of_the_digest_and_of_what_is_told(tmp_path: Path) -> None:
    """Golden rows that fix it make another plan than the first compared rows."""
    learning, known = plan_of(tmp_path, golden=False), plan_of(tmp_path)
    fixed = observed(known)
    assert observed(learning) == ClearDisagreement()
    assert fixed is not None
    assert fixed.margin is not None
    assert known.settings["clear_margin"] == fixed.margin
    assert learning.settings["clear_margin"] == "of the first 1,000 rows"
    assert known.digest != learning.digest
    assert {spec.monitor.observe for spec in known.specs if spec.monitor.name == "clear_disagreement"} == {fixed}


def test_monitor_is_off_where_its_limit_is_null(tmp_path: Path) -> None:
    """Then nothing is told of a margin."""
    plan = plan_of(tmp_path, limits={"clear_disagreement": None})
    assert observed(plan) is None
    assert "clear_margin" not in plan.settings
    assert margin_document(plan.specs) == {}
