from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tightrope.monitors.kinds.binary import BinaryKind, build_binary
from tightrope.monitors.kinds.seam import Compared, KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Role, Tensors
from tightrope.testing import PairSample, check_kind

LAYOUT = PairLayout([], [TensorLayout("p", (-1,), "f")])
KIND: Any = build_binary({}, LAYOUT)
SAMPLE = PairSample({"p": np.array([0.2, 0.6, 0.7])}, {"p": np.array([0.3, 0.4, 0.9])}, {"x": np.zeros((3, 2))})


def broken(
    read: Callable[[KindReading, Tensors], KindReading] = lambda reading, _: reading,
    compare: Callable[[Compared], Compared] = lambda compared: compared,
) -> BinaryKind:
    """A binary kind whose readings or comparisons are altered."""

    class Broken(BinaryKind):
        def read(self, outputs: Tensors, inputs: Tensors, role: Role, rows: int) -> KindReading:
            return read(BinaryKind.read(self, outputs, inputs, role, rows), outputs)

        def compare(self, baseline: KindReading, compressed: KindReading) -> Compared:
            return compare(BinaryKind.compare(self, baseline, compressed))

    return Broken(**{name: getattr(KIND, name) for name in BinaryKind.__dataclass_fields__})


def mixing(reading: KindReading, outputs: Tensors) -> KindReading:
    """A confidence that depends on the rows beside it."""
    confidence = reading.confidence * (np.mean(outputs["p"]) if "p" in outputs and outputs["p"].dtype == float else 1)
    return replace(reading, confidence=confidence)


def spoiling(reading: KindReading, outputs: Tensors) -> KindReading:
    """A reading that changes the output."""
    outputs.get("p", np.ones(1))[...] = 0.5
    return reading


def forgiving(reading: KindReading, _: Tensors) -> KindReading:
    """A reading without faults."""
    return replace(reading, fault=np.zeros_like(reading.fault))


def drifting() -> Callable[[KindReading, Tensors], KindReading]:
    """A confidence that falls with every reading."""
    calls = []

    def read(reading: KindReading, _: Tensors) -> KindReading:
        calls.append(1)
        return replace(reading, confidence=reading.confidence / len(calls))

    return read


def test_built_in_kind_passes() -> None:
    """All samples are checked, one row among them."""
    check_kind(KIND, [SAMPLE, SAMPLE.take(slice(1))])


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (broken(mixing), r"rows \[0\] alone are read or compared differently"),
        (broken(spoiling), "read of baseline raised"),
        (broken(forgiving), "a row of nan of baseline"),
        (broken(drifting()), "read or compared differently|read differently"),
        (broken(lambda r, _: replace(r, confidence=r.confidence + 1)), r"confidence of baseline leaves \[0, 1\]"),
        (broken(lambda r, _: replace(r, top=r.top + 5)), "top of baseline is outside the classes"),
        (broken(lambda r, _: r.take(slice(1))), "has 1 entries for 3 rows"),
        (broken(compare=lambda c: replace(c, loss=c.loss * 2)), r"loss leaves \[0, 1\]"),
        (broken(compare=lambda c: replace(c, loss=c.loss / 2)), "binary_loss is True"),
        (broken(compare=lambda c: replace(c, distance=c.distance + 1)), "distance of a reading with itself is not 0"),
        (broken(compare=lambda c: replace(c, bias=c.loss)), "has_bias is False"),
        (broken(compare=lambda c: replace(c, mix=c.mix[:, :1])), "mix, missed and gained have"),
        (broken(compare=lambda c: replace(c, fault=np.zeros_like(c.fault))), "is no fault"),
        (replace(KIND, has_top=False), "has_top is False"),
        (broken(lambda r, _: replace(r, margin=r.margin * np.nan)), "has_margin is True, but baseline has none"),
        (replace(KIND, has_confidence=False), "has_confidence is False"),
        (replace(KIND, classes=("no", "no")), "has a name twice"),
        (replace(KIND, has_bias=True), "has_confidence and has_bias exclude each other"),
    ],
)
def test_broken_kind_is_found(kind: BinaryKind, sentence: str) -> None:
    """The sentence says what is wrong."""
    with pytest.raises(AssertionError, match=sentence):
        check_kind(kind, [SAMPLE])


def test_no_samples_check_nothing() -> None:
    """An empty list is an error, because a check of nothing passes."""
    with pytest.raises(AssertionError, match="there are no samples"):
        check_kind(KIND, [])
