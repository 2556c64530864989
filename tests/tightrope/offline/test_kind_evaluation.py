import numpy as np
import pytest

from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.monitors.records import Role, Tensors
from tightrope.offline.kind_evaluation import pair_rows, read_rows

KIND = KINDS["multilabel"]({"loss": "hamming"}, PairLayout([], [TensorLayout("x", (-1, 2), "f")]))
PARTS: list[Tensors] = [{"x": np.array([[0.9, 0.1], [0.8, 0.9], [0.2, 0.3]])}, {"x": np.array([[0.1, 0.9]])}]


def read(parts: list[Tensors] = PARTS, most: int = 2, flip: float = 0.0) -> list[object]:
    """Read rows of a model that gives what it gets, or one minus that; the runs stay within ``most`` rows."""

    def run(inputs: Tensors, _begin: int) -> Tensors:
        assert len(inputs["x"]) <= most
        return {"x": np.abs(flip - np.asarray(inputs["x"]))}

    return list(read_rows(KIND, parts, Role.BASELINE, most, run, lambda row, text: ValueError(f"row {row}{text}")))


def test_each_part_of_a_file_has_its_reading() -> None:
    """Joined from its runs."""
    assert [len(reading) for reading in read()] == [3, 1]  # type: ignore[arg-type]


def test_parts_are_paired_in_order() -> None:
    """A model that gives the opposite has a loss of one."""
    assert pair_rows(KIND, read(), read(most=1), None).loss.tolist() == [0.0] * 4  # type: ignore[arg-type, union-attr]
    assert pair_rows(KIND, read(), read(flip=1.0), None).loss.tolist() == [1.0] * 4  # type: ignore[arg-type, union-attr]


def test_unreadable_answer_names_its_row() -> None:
    """By its number in the file."""
    with pytest.raises(ValueError, match=r"^row 3's answer is not finite$"):
        read([PARTS[0], {"x": np.array([[np.nan, 0.5]])}])
    with pytest.raises(ValueError, match=r"^row 1's answer cannot be read as the kind"):
        read([{"x": np.array([[0.9, 0.1], [7.0, 0.9]])}])
