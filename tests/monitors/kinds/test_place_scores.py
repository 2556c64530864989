import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.compare import Scale, confidence, entropy, read_output
from tightrope.monitors.kinds import place_scores
from tightrope.monitors.kinds.place_scores import read_classes, read_ids
from tightrope.monitors.records import Fault


@given(seed=st.integers(0, 2**32 - 1), classes=st.sampled_from([2, 5, 64, 65]), scale=st.sampled_from(["logits", ""]))
def test_places_are_read_as_rows_of_classes(seed: int, classes: int, scale: str) -> None:
    """On any axis, each place has the class, confidence and entropy that it has as a row of its own."""
    random = np.random.default_rng(seed)
    scores = random.choice([0.0, 1.0, *random.random(5)], (3, 4, classes)) + 0.01
    used = Scale.LOGITS if scale else Scale.PROBABILITIES
    scores = scores if scale else scores / scores.sum(axis=2, keepdims=True)
    alone = read_output(scores.reshape(12, classes), used)
    for tensor, axis in ((scores, 2), (np.moveaxis(scores, 2, 1), 1)):
        places = read_classes(tensor, None, axis, used)
        assert places is not None
        assert places.sure is not None
        assert places.entropy is not None
        assert places.ids.ravel().tolist() == scores.reshape(12, classes).argmax(axis=1).tolist()
        assert places.sure.ravel() == pytest.approx(confidence(alone.values), abs=1e-12)
        assert places.entropy.ravel() == pytest.approx(entropy(alone.values), abs=1e-12)


@pytest.mark.parametrize("axis", [1, 2])
def test_large_rows_are_read_in_blocks(axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bit is that of a row read at once."""
    scores = np.random.default_rng(0).normal(size=(3, 7, 7)).astype(np.float32)
    whole = read_classes(scores, None, axis, Scale.LOGITS)
    monkeypatch.setattr(place_scores, "_BLOCK", 21)
    blocks = read_classes(scores, None, axis, Scale.LOGITS)
    assert whole is not None
    assert blocks is not None
    for name in ("ids", "sure", "entropy"):
        assert getattr(whole, name).tobytes() == getattr(blocks, name).tobytes()


def test_extreme_logits_do_not_overflow() -> None:
    """The largest float64 beside the smallest is certain."""
    places = read_classes(np.array([[[1e308, -1e308], [0.0, 0.0]]]), None, 2, Scale.LOGITS)
    assert places is not None
    reading = places.reading(least=False)
    assert reading.confidence.tolist() == [0.75]
    assert reading.entropy[0] == pytest.approx(np.log(2) / 2)


def test_only_kept_places_can_be_faults() -> None:
    """A place that the mask leaves out may hold anything."""
    scores = np.array([[[0.5, 0.5], [np.nan, 9.0]], [[np.nan, 0.5], [0.5, 0.5]], [[0.9, 0.5], [0.5, 0.5]]])
    kept = np.array([[True, False]] * 3)
    places = read_classes(scores, kept, 2, Scale.PROBABILITIES)
    assert places is not None
    assert places.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE, Fault.OUT_OF_RANGE]
    assert places.reading(least=False).columns["ids"].tolist() == [[0, -1], [-1, -1], [-1, -1]]


def test_id_that_is_no_class_is_a_fault() -> None:
    """Without a known number of classes, only negative ids are."""
    ids = np.array([[0, 1], [2, 3], [-1, 0]])
    for classes, faults in ((3, [0, 2, 2]), (None, [0, 0, 2])):
        places = read_ids(ids, None, classes)
        assert places is not None
        assert places.fault.tolist() == faults
