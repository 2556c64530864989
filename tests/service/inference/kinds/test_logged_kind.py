import numpy as np
import pytest

from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import DecisionKind, KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Role
from tightrope.service.inference.kinds.logged_kind import LoggedKind, built_kind

LAYOUT = PairLayout([], [TensorLayout("p", (-1, 2), "f")])
P = {"p": np.array([[0.9, 0.2]])}


def test_logged_kind_is_as_the_kind_behind_it() -> None:
    """In its attributes, readings and comparisons."""
    kind = KINDS["multilabel"]({}, LAYOUT)
    logged: DecisionKind = LoggedKind(kind)
    names = [name for name in vars(DecisionKind) if not name.startswith("_") and name not in {"read", "compare"}]
    assert len(names) > 8
    assert {name: getattr(logged, name) for name in names} == {name: getattr(kind, name) for name in names}
    reading = logged.read(P, {}, Role.BASELINE, 1)
    assert reading.confidence.tolist() == kind.read(P, {}, Role.BASELINE, 1).confidence.tolist()
    assert logged.compare(reading, reading).loss.tolist() == [0.0]


def test_failure_of_a_kind_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    """And raised, so that the rows become faults."""
    kind = KINDS["multilabel"]({}, LAYOUT)
    broken = LoggedKind(kind)
    broken.built = object()  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        broken.read(P, {}, Role.COMPRESSED, 1)
    with pytest.raises(AttributeError):
        broken.compare(KindReading.failed(1), KindReading.failed(1))
    assert [record.exc_info is not None for record in caplog.records] == [True, True]
    assert "the code of the kind multilabel fails: the compressed model's rows cannot be read" in caplog.text


def test_kind_is_found_as_it_was_built() -> None:
    """Logged or not."""
    kind = KINDS["multilabel"]({}, LAYOUT)
    assert built_kind(LoggedKind(kind)) is built_kind(kind) is kind
