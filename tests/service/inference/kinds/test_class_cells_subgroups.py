"""A subgroup has a cell for each critical one of many classes, and one for all others together."""

from dataclasses import replace

import numpy as np
import pytest

from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE, MAX_CLASSES, OTHER_CLASSES, SUBGROUP_SHARE
from tightrope.monitors.definitions.definition import Reach
from tightrope.monitors.records import Comparisons, Ints
from tightrope.service.inference.kinds.class_cells import cells_document, subgroup_cells, with_golden_cells

CLASSES = tuple(f"class {index}" for index in range(25))
LIMITS = np.array([0.1, 0.2, 0.2])
"""The model's limit, and those of two subgroups."""

PLAIN = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02, 0.04, 0.04]))


def of_model(*critical: str, name: str = "class_miss") -> MonitorSpec:
    """A monitor of 25 classes that watches the model alone."""
    return MonitorSpec(replace(CATALOGUE[name], reach=Reach.MODEL), CLASSES, LIMITS[:1], critical=critical)


def in_subgroups(*critical: str, name: str = "class_miss") -> MonitorSpec:
    """Its cells in the two subgroups."""
    spec = subgroup_cells(of_model(*critical, name=name), CLASSES, LIMITS)
    assert spec is not None
    return spec


def golden_rows(baseline: Ints, compressed: Ints) -> Comparisons:
    """Rows, the first half in one subgroup and the others in another."""
    n, first = len(baseline), np.arange(len(baseline)) < len(baseline) // 2
    return Comparisons.from_columns(
        n,
        scopes=("half=first", "half=second"),
        member=np.stack([first, ~first], axis=1),
        top_baseline=baseline,
        top_compressed=compressed,
        disagree=baseline != compressed,
    )


def test_subgroup_watches_critical_classes_and_all_others_together() -> None:
    """A row counts for the class that the baseline says, or for gains the compressed model."""
    rows = golden_rows(np.array([3, 7, 0, -1]), np.array([0, 3, 0, 3]))
    miss, gain = in_subgroups("class 7", "class 3"), in_subgroups("class 7", "class 3", name="class_gain")
    assert miss.variants == ("class 7", "class 3", OTHER_CLASSES)
    assert miss.monitor.class_of is not None
    assert gain.monitor.class_of is not None
    assert miss.monitor.class_of(rows).tolist() == [1, 0, 2, -1]
    assert gain.monitor.class_of(rows).tolist() == [2, 1, 2, 1]
    assert miss.limits.tolist() == LIMITS.tolist()


def test_half_of_a_subgroups_share_is_that_of_critical_classes() -> None:
    """Each monitor has an equal part of the share of all subgroups; the model's share is not touched."""
    specs = [PLAIN, of_model("class 7", "class 3"), in_subgroups("class 7", "class 3")]
    rules = build_rules(specs, recovery_ratio=0.75)
    cells = rules[2].shares * rules[2].weights
    part = SUBGROUP_SHARE / 4  # two monitors, two subgroups
    assert cells.T.tolist() == [pytest.approx([0, 0, 0]), *[pytest.approx([part / 4, part / 4, part / 2])] * 2]
    assert rules[0].shares[1:].tolist() == pytest.approx([part] * 2)
    assert float((rules[1].shares * rules[1].weights).sum()) == pytest.approx(CATALOGUE["class_miss"].share)


def test_without_critical_classes_or_subgroups_nothing_is_added() -> None:
    """All others would be all rows: `disagreement` has a lower limit for them. Of few classes each has a cell."""
    assert subgroup_cells(of_model(), CLASSES, LIMITS) is None
    assert subgroup_cells(of_model("class 3"), CLASSES, LIMITS[:1]) is None
    few = MonitorSpec(CATALOGUE["class_miss"], CLASSES[:20], LIMITS, critical=("class 3",))
    assert subgroup_cells(few, CLASSES[:20], LIMITS) is None


def test_subgroup_has_cells_for_twenty_critical_classes_at_most() -> None:
    """The first ones as written, each once; further ones count among the others."""
    spec = in_subgroups("class 9", "class 9", *CLASSES[:23])
    assert (len(spec.variants), spec.variants[:2]) == (MAX_CLASSES + 1, ("class 9", "class 0"))
    assert spec.variants[-2:] == ("class 19", OTHER_CLASSES)


def test_golden_rows_give_doubled_limits() -> None:
    """40 rows of each class, 8 of class 3 wrong; a limit that is written for all, or for subgroups, stays."""
    baseline = np.repeat(np.arange(25), 40)
    golden = golden_rows(baseline, np.where((baseline == 3) & (np.arange(1000) % 40 < 8), 4, baseline))
    # The Clopper-Pearson ends of 8 and 0 of 40 are .35653 and .08810; 8 of 920 others .01706: below the default.
    (spec,) = with_golden_cells([in_subgroups("class 3", "class 5")], golden, {})
    assert spec.variant_limits is not None
    assert spec.variant_limits[:, 1].tolist() == pytest.approx([0.7, 0.354, 0.2])
    for written, subgroups in (({"class_miss": 0.1}, {}), ({}, {"class_miss": 0.2})):
        (kept,) = with_golden_cells([in_subgroups("class 3")], golden, written, subgroups)
        assert kept.variant_limits is None


def test_all_others_together_have_no_cell_of_misses_where_they_are_redundant() -> None:
    """In the second subgroup all rows are of the critical class; in the first one most are not."""
    baseline = np.repeat([0, 3], [50, 50])
    _, miss, gain = with_golden_cells(
        [PLAIN, in_subgroups("class 3"), in_subgroups("class 3", name="class_gain")],
        golden_rows(baseline, baseline),
        {},
    )
    assert miss.cells is not None
    assert miss.cells.T.tolist() == [[True, True], [True, False], [True, True]]
    assert gain.cells is None


def test_document_of_cells_names_the_classes_in_subgroups() -> None:
    """Other critical classes have other cells: the evidence starts anew."""
    document = cells_document([of_model("class 3"), in_subgroups("class 3")], None)
    assert document == {"class_miss in subgroups": {"classes": ["class 3", OTHER_CLASSES]}}
