from dataclasses import replace

import numpy as np
import pytest

from tests.support.judgement.comparisons import make_comparisons
from tests.support.kind_samples import layout, read
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.qualification.decision_margins import NO_MARGINS, DecisionMargins, margins_of

UNKNOWN = np.full(2, np.nan)
ROWS = replace(make_comparisons(2), margin_baseline=UNKNOWN, confidence_baseline=UNKNOWN)


def test_margin_goes_before_confidence() -> None:
    """Where every row has one."""
    both = replace(ROWS, margin_baseline=np.array([0.1, 0.2]), confidence_baseline=np.array([0.6, 0.7]))
    found = margins_of(None, both)
    assert isinstance(found, DecisionMargins)
    assert (found.name, found.values.tolist()) == ("margin", [0.1, 0.2])
    some = replace(both, margin_baseline=np.array([0.1, np.nan]))
    found = margins_of(None, some)
    assert isinstance(found, DecisionMargins)
    assert (found.name, found.values.tolist()) == ("confidence", [0.6, 0.7])
    assert margins_of(None, ROWS) == NO_MARGINS


def test_labels_are_near_their_threshold_and_numbers_near_an_edge() -> None:
    """The nearest one of a row counts, over all parts of a file."""
    labels = KINDS["multilabel"]({"thresholds": [0.5, 0.8]}, layout(2))
    found = margins_of(labels, ROWS, [read(labels, [[0.9, 0.7]]), read(labels, [[0.45, 0.1]])])
    assert isinstance(found, DecisionMargins)
    assert (found.name, found.values.tolist()) == ("distance from a threshold", pytest.approx([0.1, 0.05]))
    bands = KINDS["regression"]({"loss": "bands", "edges": [0, 10]}, layout(2))
    found = margins_of(bands, ROWS, [read(bands, [[3.0, -4.0], [4.0, 12.0]])])
    assert isinstance(found, DecisionMargins)
    assert (found.name, found.values.tolist()) == ("distance from an edge", [3.0, 2.0])


def test_number_with_a_tolerance_has_no_margin() -> None:
    """It is near to no other answer more than elsewhere."""
    kind = KINDS["regression"]({"tolerance": 0.5}, layout(1))
    assert margins_of(kind, ROWS, [read(kind, [[1.0], [2.0]])]) == NO_MARGINS
