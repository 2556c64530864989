"""Rows are counted by the host that ran the compressed model, and a breach that comes from one class says so."""

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.intake.hosts import (
    MAX_HOST_CLASSES,
    OTHER_HOSTS,
    HostRows,
    compressed_hosts,
    count_hosts,
    host_detail,
    one_host_note,
)


def test_host_of_a_row_is_that_of_the_compressed_model() -> None:
    """The serving host, or in safe mode the shadow's."""
    rows = make_comparisons(2, served_by_baseline=[False, True], host_class=["a", "b"], shadow_host_class=["c", "d"])
    assert compressed_hosts(rows).tolist() == ["a", "d"]


def test_rows_are_counted_by_scope_and_host() -> None:
    """Over any batches; hosts of an older gateway are unknown."""
    member = np.array([[1, 0], [1, 1], [1, 1]], dtype=bool)
    rows = make_comparisons(3, disagree=[True, False, True], host_class=["a", "a", ""])
    counts = count_hosts(count_hosts({}, rows, member), rows, member)
    assert host_detail(counts, 0) == {
        "unknown": {"rows": 2, "disagreements": 2},
        "a": {"rows": 4, "disagreements": 2},
    }
    assert host_detail(counts, 1)["a"] == {"rows": 2, "disagreements": 0}


def test_number_of_host_classes_is_bounded() -> None:
    """Further ones are counted together."""
    rows = make_comparisons(40, host_class=[f"class {n}" for n in range(40)])
    counts = count_hosts({}, rows, np.ones((40, 1), dtype=bool))
    assert len(counts) == MAX_HOST_CLASSES + 1
    assert counts[OTHER_HOSTS].tolist() == [[40 - MAX_HOST_CLASSES, 0]]


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        (
            {"a": (1000, 100), "b": (1000, 2)},
            "100 of 102 disagreements come from one class of hosts: a (2 classes seen)",
        ),
        ({"a": (1000, 100), "b": (1000, 60)}, ""),
        ({"a": (1000, 100)}, ""),
        ({"a": (1000, 100), "b": (10, 0)}, ""),
        ({"a": (9900, 100), "b": (100, 0)}, ""),
        ({"a": (1000, 0), "b": (1000, 0)}, ""),
        ({}, ""),
    ],
)
def test_breach_of_one_class_is_named(counts: dict[str, tuple[int, int]], says: str) -> None:
    """While several classes have rows, and one has nearly all disagreements without nearly all rows."""
    rows: HostRows = {name: np.array([pair]) for name, pair in counts.items()}
    assert one_host_note(rows, 0).removeprefix("; ") == says
