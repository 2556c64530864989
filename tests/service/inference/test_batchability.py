"""Requests share a run where the probe, the configuration and the runs in service allow it."""

import pytest

from tightrope.monitors.records import Role
from tightrope.service.inference.batchability import Batchability, Proof, RowFinding

FINE, UNKNOWN = RowFinding(Proof.PROVEN), RowFinding(Proof.UNKNOWN, "it says the same")
MIXED = RowFinding(Proof.DISPROVED, "it mixes rows")


def found(decides: RowFinding, side: RowFinding = FINE, batch_rows: int | None = None) -> Batchability:
    """The findings of two outputs, p and state; p decides."""
    return Batchability({Role.BASELINE: {"p": FINE, "state": side}, Role.COMPRESSED: {"p": decides}}, "p", batch_rows)


@pytest.mark.parametrize(
    ("decides", "side", "batch_rows", "all_of_them", "p_only"),
    [
        (FINE, FINE, None, True, True),
        (FINE, FINE, 1, False, False),
        (FINE, MIXED, None, False, True),
        (FINE, MIXED, 32, False, True),
        (FINE, UNKNOWN, None, False, True),
        (FINE, UNKNOWN, 32, True, True),
        (MIXED, FINE, None, False, False),
        (MIXED, FINE, 32, False, False),
        (UNKNOWN, FINE, None, False, False),
        (UNKNOWN, FINE, 32, True, True),
    ],
)
def test_requests_share_a_run_where_all_their_outputs_are_proven(
    decides: RowFinding, side: RowFinding, batch_rows: int | None, *, all_of_them: bool, p_only: bool
) -> None:
    """The configuration allows what is unknown, never what was disproved."""
    batchability = found(decides, side, batch_rows)
    assert [batchability.allows(outputs) for outputs in ((), ("p", "state"), ("state",), ("p",))] == [
        *[all_of_them] * 3,
        p_only,
    ]
    assert (batchability.is_open, batchability.is_closed) == (all_of_them, not p_only)


def test_surprise_keeps_requests_apart_from_then_on() -> None:
    """It is a surprise once only."""
    batchability = found(FINE)
    assert [batchability.keep_apart(reason) for reason in ("first", "second")] == [True, False]
    assert (batchability.is_open, batchability.is_closed, batchability.allows(["p"])) == (False, True, False)
    assert batchability.describe() == "run apart: first"


def test_description_says_why_requests_run_apart() -> None:
    """With the output, the model, and what to write where that would help."""
    assert found(FINE).describe() == "share runs"
    assert found(FINE, batch_rows=1).describe() == "run apart: batch_rows is 1"
    assert found(MIXED).describe() == "run apart: 'p' of the compressed model: it mixes rows"
    mixed = "run apart for some outputs: 'state' of the baseline model: it mixes rows"
    assert found(FINE, MIXED).describe() == mixed
    assert found(UNKNOWN).describe().endswith("it says the same; batch_rows lets them share runs")
