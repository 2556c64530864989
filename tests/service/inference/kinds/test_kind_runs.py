import numpy as np
import pytest

from tightrope.monitors.compare import Refusal, Score
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role
from tightrope.service.inference.kinds.kind_runs import deciding_outputs, sample_outputs, summarize_run

P = np.array([[0.9, 0.2], [0.6, 0.5], [np.inf, 0.1]], np.float32)
ALL_ROWS = np.arange(3)


def kind_of(name: str, shape: tuple[int, ...], **options: object) -> DecisionKind:
    """A kind that reads the output p."""
    return KINDS[name](options, PairLayout([], [TensorLayout("p", shape, "f")]))


MULTILABEL = kind_of("multilabel", (-1, 2))
LARGE = kind_of("multilabel", (-1, 100_000))
REGRESSION = kind_of("regression", (-1, 2), tolerance=0.1)


def test_cheap_reading_is_made_before_the_answer() -> None:
    """A row with a fault is as uncertain as can be."""
    summary, reading = summarize_run(MULTILABEL, None, Role.BASELINE, {"p": P}, {}, 3, eager=False)
    assert summary.fault == [0, 0, Fault.NOT_FINITE]
    assert summary.confidence == pytest.approx([0.8, 0.5, 0.0])
    assert summary.uncertainty[2] == 1.0
    assert summary.refused == [False] * 3
    assert reading is not None


def test_costly_reading_waits_unless_the_certainty_is_needed() -> None:
    """Before the answer only faults are found."""
    wide = {"p": np.zeros((3, 100_000), np.float32)}
    wide["p"][2, 5] = np.nan
    summary, reading = summarize_run(LARGE, None, Role.BASELINE, wide, {}, 3, eager=False)
    assert (summary.fault, summary.confidence, reading) == ([0, 0, Fault.NOT_FINITE], (), None)
    refusal = Refusal(Score.MAX_PROBABILITY, dict.fromkeys(Role, 0.99999))
    summary, reading = summarize_run(LARGE, refusal, Role.BASELINE, wide, {}, 3, eager=True)
    assert len(summary.confidence) == 3
    assert reading is not None


def test_output_with_another_number_of_rows_is_a_fault_of_every_row() -> None:
    """Before the answer, for kinds that read later."""
    summary, _ = summarize_run(LARGE, None, Role.BASELINE, {"p": P[:2]}, {}, 3, eager=False)
    assert summary.fault == [Fault.OUT_OF_RANGE] * 3


def test_kind_without_certainty_gives_none() -> None:
    """As a regression."""
    summary, _ = summarize_run(REGRESSION, None, Role.BASELINE, {"p": P}, {}, 3, eager=False)
    assert (summary.confidence, summary.uncertainty) == ((), ())


def test_refusal_flags_uncertain_rows() -> None:
    """By the role's own threshold."""
    refusal = Refusal(Score.MAX_PROBABILITY, {Role.BASELINE: 0.6, Role.COMPRESSED: 0.4})
    flags = [summarize_run(MULTILABEL, refusal, role, {"p": P}, {}, 3, eager=True)[0].refused for role in Role]
    assert flags == [[False, True, False], [False, False, False]]


def test_sample_carries_small_outputs_as_they_are() -> None:
    """Only those that decide, and only its rows."""
    carried = sample_outputs(MULTILABEL, Role.BASELINE, {"p": P, "other": P}, {}, None, np.array([1]))
    assert {name: tensor.tolist() for name, tensor in carried.items()} == {"p": P[1:2].tolist()}


@pytest.mark.parametrize("is_read", [False, True])
def test_sample_carries_the_reading_where_it_is_smaller(*, is_read: bool) -> None:
    """It is made for the kept rows, unless the answer needed it."""
    layout = PairLayout([TensorLayout("mask", (-1, 4), "i")], [TensorLayout("p", (-1, 4, 1000), "f")])
    kind = KINDS["positions"]({"mask": "mask"}, layout)
    outputs, inputs = {"p": np.random.default_rng(0).random((3, 4, 1000))}, {"mask": np.ones((3, 4), np.int64)}
    whole = kind.read(outputs, inputs, Role.BASELINE, 3)
    carried = sample_outputs(kind, Role.BASELINE, outputs, inputs, whole if is_read else None, np.array([2, 0]))
    expected = whole.take(np.array([2, 0])).to_tensors()
    back = KindReading.from_tensors(carried).to_tensors()
    assert set(back) == set(expected)
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, expected[name])
    assert sum(tensor.nbytes for tensor in carried.values()) < outputs["p"].nbytes / 10


def test_plain_decision_is_read_from_its_output() -> None:
    """A kind names its own."""
    assert deciding_outputs(None, "probabilities") == ["probabilities"]
    assert deciding_outputs(MULTILABEL, "") == ["p"]
