"""Labels and pending rows have addresses, and defaults for what older records lack."""

import math

import numpy as np

from tightrope.monitors.label_records import Label, PendingRow


def test_row_is_addressed_by_request_and_number() -> None:
    """A label gives the same address."""
    answers = {"confidence_baseline": 0.9, "confidence_compressed": 0.8, "top_baseline": 1, "top_compressed": 1}
    row = PendingRow("r", 3, 0.0, "d", np.zeros(0, dtype=bool), 0.5, disagree=False, **answers)
    label = Label("m", "r", row=3, label=1, time=0.0)
    assert row.key == (label.request_id, label.row) == ("r", 3)
    assert (row.caller, math.isnan(row.loss), label.source, label.probability) == (0, True, "", 0.0)
