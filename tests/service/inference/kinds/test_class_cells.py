"""Golden rows choose the cells of classes before traffic: limits, redundant ones, and which classes have one."""

from collections.abc import Sequence

import numpy as np
import pytest

from tightrope.monitors import observations
from tightrope.monitors.budget import MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.records import Bools, Comparisons, Ints
from tightrope.service.inference.kinds.class_cells import (
    VariantOfClass,
    cells_document,
    chosen_classes,
    class_limits,
    redundant_classes,
    with_golden_cells,
)


def spoken_rows(*classes: tuple[int, int]) -> tuple[Ints, Bools]:
    """The rows of classes, the first ones wrong: (rows, wrong) of each."""
    spoken = np.concatenate([np.full(rows, index) for index, (rows, _) in enumerate(classes)])
    return spoken, np.concatenate([np.arange(rows) < wrong for rows, wrong in classes])


@pytest.mark.parametrize(
    ("classes", "limits"),
    [
        ([(100, 10), (100, 0)], [0.353, 0.1]),  # the Clopper-Pearson ends of 10 and 0 of 100 are .17622 and .03622
        ([(30, 30)], [0.7]),
        ([(29, 29)], [0.1]),
        ([(25, 5), (25, 0), (40, 0), (0, 0)], [0.437, 0.437, 0.177, 0.437]),  # 5 of 50: .21813; 0 of 40: .08810
    ],
)
def test_limit_of_a_class_is_twice_its_golden_upper_end(classes: list[tuple[int, int]], limits: list[float]) -> None:
    """At least the default and at most 0.7; classes of fewer than 30 rows are taken together."""
    assert class_limits(*spoken_rows(*classes), len(classes), 0.1).tolist() == limits


def test_class_of_more_than_a_fifth_is_redundant() -> None:
    """At limits of 2 % and 10 %; in a subgroup of fewer than 30 golden rows nothing is known."""
    spoken, member = np.repeat([0, 1, 2], [210, 200, 590]), np.ones((1000, 3), dtype=bool)
    member[:, 1], member[:, 2] = np.arange(1000) < 29, np.arange(1000) < 30
    redundant = redundant_classes(spoken, member, np.full(3, 0.02), np.full((3, 3), 0.1))
    assert redundant.T.tolist() == [[True, False, True], [False] * 3, [True, False, False]]


def test_classes_with_a_cell_are_the_critical_and_then_the_most_frequent() -> None:
    """Without golden rows the first."""
    spoken = np.repeat([7, 9, 3], [5, 2, 2])
    assert chosen_classes(10, 3, [1], spoken).tolist() == [1, 3, 7]
    assert chosen_classes(10, 3, [1], None).tolist() == [0, 1, 2]
    assert chosen_classes(10, 1, [8, 2], spoken).tolist() == [2]


def specs_of(classes: int, critical: Sequence[str] = ()) -> list[MonitorSpec]:
    """The monitors of disagreement and of classes of a model without subgroups."""
    one = np.array([0.1])
    names = ("class_miss", "class_gain")
    plain = MonitorSpec(CATALOGUE["disagreement"], ("",), np.array([0.02]))
    variants = CATALOGUE["class_miss"].variants(classes)
    return [plain, *(MonitorSpec(CATALOGUE[name], variants, one, critical=tuple(critical)) for name in names)]


def golden_rows(baseline: Ints, compressed: Ints) -> Comparisons:
    """Rows without subgroups."""
    n = len(baseline)
    differs = baseline != compressed
    return Comparisons.from_columns(n, top_baseline=baseline, top_compressed=compressed, disagree=differs)


HALVES = golden_rows(np.repeat([0, 1, 2], [50, 40, 10]), np.repeat([0, 1, 2], [50, 40, 10]))


def test_redundant_class_has_no_cell_of_misses_unless_it_is_critical() -> None:
    """It keeps the cell of gains; the others have its share of the budget."""
    for critical, cells, weights in (((), [0, 0, 1], [0, 0, 3]), (("class 1",), [0, 1, 1], [0, 1.5, 1.5])):
        _, miss, gain = with_golden_cells(specs_of(3, critical), HALVES, {})
        assert miss.cells is not None
        assert miss.cells.ravel().tolist() == cells
        assert gain.cells is None
        rule = build_rules([miss], 0.75)[0]
        assert rule.weights.ravel().tolist() == weights
        assert rule.has_cell.ravel().tolist() == [weight > 0 for weight in weights]


def test_monitor_without_any_cell_is_left_out() -> None:
    """Two classes of a half each: a missed one is a breach of disagreement."""
    rows = np.arange(100) % 2
    specs = with_golden_cells(specs_of(2), golden_rows(rows, rows), {})
    assert [spec.monitor.name for spec in specs] == ["disagreement", "class_gain"]


def test_without_a_limit_of_disagreement_nothing_is_redundant() -> None:
    """No other monitor would see it."""
    specs = with_golden_cells(specs_of(2)[1:], HALVES, {})
    assert [spec.cells for spec in specs] == [None, None]


def test_many_classes_have_limits_of_their_own() -> None:
    """Misses by the baseline's class, gains by the compressed model's; a written limit stays."""
    baseline = np.repeat(np.arange(25), 40)
    compressed = np.where((baseline == 3) & (np.arange(1000) % 40 < 8), 4, baseline)
    _, miss, gain = with_golden_cells(specs_of(25), golden_rows(baseline, compressed), {"class_gain": 0.1})
    assert miss.variant_limits is not None
    # The Clopper-Pearson ends of 8 and 0 of 40: .35653 and .08810.
    assert miss.variant_limits.ravel().tolist() == [0.7 if index == 3 else 0.177 for index in range(25)]
    assert gain.variant_limits is None
    _, miss, gain = with_golden_cells(specs_of(25), golden_rows(baseline, compressed), {})
    assert gain.variant_limits is not None
    assert gain.variant_limits[4, 0] > gain.variant_limits[5, 0]


def test_document_of_cells_is_empty_for_the_default_ones() -> None:
    """The digest of a plan without golden rows stays what it was."""
    assert cells_document(specs_of(3), None) == {}
    changed = with_golden_cells(specs_of(3), HALVES, {})
    assert cells_document(changed, [1]) == {"class_miss": {"cells": [[False], [False], [True]]}, "chosen": [1]}


def test_variant_of_a_class_that_was_not_chosen_is_the_last() -> None:
    """Class 1 has the first variant, all others the second; a row without a class has none."""
    rows = Comparisons.from_columns(4, top_baseline=[0, 1, 2, -1])
    assert VariantOfClass(observations.baseline_class, np.array([1, 0, 1]))(rows).tolist() == [1, 0, 1, -1]
