"""Samples of made-up rows for the kinds of decision."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tightrope.monitors.kinds.seam import Compared, DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role
from tightrope.testing import PairSample, check_kind

Random = np.random.Generator
DTYPES = (np.float16, np.float32, np.float64)


def layout(*shape: int, kind: str = "f", inputs: tuple[TensorLayout, ...] = ()) -> PairLayout:
    """The tensors of a model with one output y whose rows have this shape; -1 is a free side."""
    return PairLayout(inputs, [TensorLayout("y", (-1, *shape), kind)])


def read(kind: DecisionKind, rows: object, role: Role = Role.BASELINE, **inputs: object) -> KindReading:
    """The reading of rows of a kind with one output; rows without numpy's datatype are float64."""
    array = rows if isinstance(rows, np.ndarray) else np.array(rows, np.float64)
    given = {name: np.array(value) for name, value in inputs.items()}
    return kind.read({kind.outputs[0]: array}, given, role, len(array))


def compare(kind: DecisionKind, baseline: object, compressed: object, **inputs: object) -> Compared:
    """The comparison of rows of a kind with one output."""
    b, c = read(kind, baseline, **inputs), read(kind, compressed, Role.COMPRESSED, **inputs)
    return kind.compare(b, c)


def paired(
    kind: DecisionKind, make: Callable[[Random, int], NDArray[Any]], random: Random, rows: int, **inputs: NDArray[Any]
) -> PairSample:
    """Rows of both models, of any float datatype, some of them the same or broken."""
    sides = []
    for _ in Role:
        side = make(random, rows)
        if side.dtype.kind == "f":
            side = side.astype(random.choice(np.array([np.dtype(dtype) for dtype in DTYPES], dtype=object)))
            side[random.random(rows) < 0.1] = random.choice([np.nan, np.inf, 7.5])
        sides.append(side)
    same = random.random(rows) < 0.2
    sides[1][same] = sides[0][same]
    name = kind.outputs[0]
    return PairSample({name: sides[0]}, {name: sides[1]}, inputs)


def check_with_rows(
    kind: DecisionKind, make: Callable[[Random, int], NDArray[Any]], mask: Callable[[Random, int], Any] | None = None
) -> None:
    """Run `check_kind` on samples from 1 to 17 rows that hypothesis chooses."""

    @settings(deadline=None, max_examples=6, database=None)
    @given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 17))
    def run(seed: int, rows: int) -> None:
        random = np.random.default_rng(seed)
        inputs = {} if mask is None else {kind.inputs[0]: mask(random, rows)}
        check_kind(kind, [paired(kind, make, random, rows, **inputs)])

    run()


def assert_each_wrong_row_is_a_fault(kind: DecisionKind, sound: object, wrong: object, fault: Fault) -> None:
    """Assert that a wrong row between two sound ones has this fault, and these have none."""
    assert read(kind, [sound, wrong, sound]).fault.tolist() == [Fault.NONE, fault, Fault.NONE]
