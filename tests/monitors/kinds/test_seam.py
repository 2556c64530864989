import numpy as np
import pytest

from tightrope.monitors.kinds.seam import NO_CLASS, Compared, KindReading
from tightrope.monitors.records import Fault

FAULT = np.array([Fault.NONE, Fault.NOT_FINITE, Fault.NONE], np.int8)


def reading() -> KindReading:
    """Three rows, the second with a fault."""
    columns = {"value": np.arange(6.0).reshape(3, 2)}
    return KindReading.of(FAULT, columns, top=np.array([1, 2, 0]), confidence=np.array([0.5, 0.7, 0.9]))


def test_row_with_a_fault_has_no_class_and_no_numbers() -> None:
    """The other rows keep theirs, and numbers that the kind lacks are NaN."""
    assert reading().top.tolist() == [1, NO_CLASS, 0]
    assert np.isnan(reading().confidence).tolist() == [False, True, False]
    assert np.isnan(reading().entropy).all()


def test_reading_passes_through_tensors_unchanged() -> None:
    """A sample carries it as tensors with rows first."""
    tensors = reading().to_tensors()
    assert {len(tensor) for tensor in tensors.values()} == {3}
    back = KindReading.from_tensors(tensors).to_tensors()
    assert {name: tensor.tobytes() for name, tensor in back.items()} == {n: t.tobytes() for n, t in tensors.items()}


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0]), np.array([True, False, True])], ids=str)
def test_taken_and_joined_rows_keep_their_entries(rows: slice) -> None:
    """Slices, indices and masks select the same rows of each array."""
    taken = reading().take(rows)
    assert taken.columns["value"].tolist() == reading().columns["value"][rows].tolist()
    joined = taken.join(reading())
    assert joined.top.tolist() == [*taken.top.tolist(), 1, NO_CLASS, 0]
    assert joined.columns["value"].shape == (len(taken) + 3, 2)


def test_readings_of_different_layout_are_not_joined() -> None:
    """A failed reading has no columns."""
    with pytest.raises(ValueError, match="different layout"):
        reading().join(KindReading.failed(2))


def test_arrays_that_were_given_are_not_changed() -> None:
    """NaN for a fault is written into a copy."""
    confidence = np.array([0.5, 0.7, 0.9])
    KindReading.of(FAULT, {}, confidence=confidence)
    Compared.of(FAULT, confidence, confidence)
    assert confidence.tolist() == [0.5, 0.7, 0.9]


def test_rows_that_cannot_be_compared_are_faults() -> None:
    """A row that has a fault already keeps it."""
    compared = Compared.failed(FAULT, classes=2)
    assert compared.fault.tolist() == [Fault.OUT_OF_RANGE, Fault.NOT_FINITE, Fault.OUT_OF_RANGE]
    assert np.isnan(compared.loss).all()
    assert compared.missed.shape == (3, 2)


@pytest.mark.parametrize(
    ("name", "wrong", "error"),
    [
        ("fault", np.zeros((3, 2), np.int8), ValueError),
        ("confidence", np.array(["a", "b", "c"], object), (TypeError, ValueError)),
        ("top", np.array([0.5, 1.0, 2.0]), TypeError),
        ("fault", None, KeyError),
    ],
    ids=str,
)
def test_tensors_that_are_no_reading_are_refused(
    name: str, wrong: np.ndarray | None, error: type[Exception] | tuple[type[Exception], ...]
) -> None:
    """A record may have been written by a program that is not ours."""
    tensors = {**reading().to_tensors(), f"reading.{name}": wrong}
    if wrong is None:
        del tensors[f"reading.{name}"]
    with pytest.raises(error):
        KindReading.from_tensors(tensors)
