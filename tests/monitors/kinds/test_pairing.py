from dataclasses import replace

import numpy as np
import pytest

from tightrope.monitors.compare import Refusal, Score
from tightrope.monitors.kinds.multilabel import build_multilabel
from tightrope.monitors.kinds.pairing import join_pairs, pair_kind_readings, read_safely, refused_rows
from tightrope.monitors.kinds.seam import NO_CLASS, Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role, Tensors

LAYOUT = PairLayout([], [TensorLayout("p", (-1, 2), "f")])
HAMMING = build_multilabel({"loss": "hamming"}, LAYOUT)
BASELINE = {"p": np.array([[0.9, 0.2], [0.9, 0.9], [0.1, 0.1]])}
COMPRESSED = {"p": np.array([[0.9, 0.8], [0.9, 0.9], [np.nan, 0.1]])}


class FailingKind:
    """A kind of a package whose code fails."""

    name, outputs, inputs, classes = "failing", ("p",), (), ()
    binary_loss = is_cheap = True
    is_condensed = has_confidence = has_top = has_bias = False

    def read(self, _outputs: Tensors, _inputs: Tensors, _role: Role, _rows: int) -> KindReading:
        """Fail."""
        raise ZeroDivisionError

    def compare(self, _baseline: KindReading, _compressed: KindReading) -> Compared:
        """Fail."""
        raise ZeroDivisionError


FAILING: DecisionKind = FailingKind()


def readings(kind: DecisionKind = HAMMING) -> tuple[KindReading, KindReading]:
    """Three rows of both models; the third of the compressed model is not finite."""
    return read_safely(kind, BASELINE, {}, Role.BASELINE, 3), read_safely(kind, COMPRESSED, {}, Role.COMPRESSED, 3)


def test_failing_code_of_a_kind_is_a_fault_of_every_row() -> None:
    """Whether it fails while it reads or while it compares."""
    assert readings(FAILING)[0].fault.tolist() == [Fault.UNREADABLE] * 3
    paired = pair_kind_readings(FAILING, *readings(), refusal=None)
    assert paired.fault.tolist() == [Fault.UNREADABLE] * 3
    assert not paired.disagree.any()


def test_pair_has_the_loss_of_sound_rows_and_the_fault_of_the_others() -> None:
    """A row disagrees where its loss is above 0."""
    paired = pair_kind_readings(HAMMING, *readings(), refusal=None)
    assert paired.loss is not None
    assert paired.loss[:2].tolist() == [0.5, 0.0]
    assert np.isnan(paired.loss[2])
    assert paired.disagree.tolist() == [True, False, False]
    assert paired.fault.tolist() == [Fault.NONE, Fault.NONE, Fault.NOT_FINITE]
    assert paired.top_baseline.tolist() == [NO_CLASS] * 3
    assert np.isnan(paired.confidence_baseline).tolist() == [False, False, True]


def test_rows_are_refused_by_the_role_s_own_threshold() -> None:
    """A row with a fault is not refused."""
    refusal = Refusal(Score.MAX_PROBABILITY, {Role.BASELINE: 0.85, Role.COMPRESSED: 0.5})
    first, second = readings()
    assert refused_rows(first, refusal, Role.BASELINE).tolist() == [True, False, False]
    assert refused_rows(second, refusal, Role.COMPRESSED).tolist() == [False, False, False]
    assert not refused_rows(first, None, Role.BASELINE).any()


def test_parts_are_put_in_the_order_of_their_rows() -> None:
    """Parts whose model could not run have no classes: theirs are NaN."""
    first, second = readings()
    whole = pair_kind_readings(HAMMING, first, second, None)
    sound = pair_kind_readings(HAMMING, first.take(np.array([1, 0])), second.take(np.array([1, 0])), None)
    failed = pair_kind_readings(HAMMING, first.take(slice(2, 3)), KindReading.failed(1), None)
    joined = join_pairs([(np.array([2]), failed), (np.array([1, 0]), sound)], 3)
    assert joined.fault.tolist() == [Fault.NONE, Fault.NONE, Fault.RUN_FAILED]
    np.testing.assert_array_equal(joined.loss, whole.loss)
    np.testing.assert_array_equal(joined.missed[:2], whole.missed[:2])
    assert joined.missed.shape == (3, 2)
    with pytest.raises(ValueError, match="2 rows are paired of 3"):
        join_pairs([(np.array([1, 0]), sound)], 3)


def test_readings_of_another_length_are_unreadable() -> None:
    """A kind of a package may have such a fault."""
    short = replace(readings()[0])
    kind = FailingKind()
    kind.read = lambda *_: short  # type: ignore[method-assign]
    assert read_safely(kind, BASELINE, {}, Role.BASELINE, 2).fault.tolist() == [Fault.UNREADABLE] * 2
