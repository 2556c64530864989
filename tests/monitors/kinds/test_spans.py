import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.kinds.spans import SpanTags, span_loss

TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
ALL_TAGS = (*TAGS, "E-PER", "S-PER", "E-LOC", "S-LOC")


def spans(tags: list[str]) -> set[tuple[str, int, int]]:
    """The spans of a row, one place after the other, as conlleval and seqeval find them."""
    found, start, kind, last = set(), None, "", "O"
    for place, tag in enumerate([*tags, "O"]):
        mark, _, name = tag.partition("-")
        if start is not None and (mark in {"O", "B", "S"} or last in {"E", "S"} or name != kind):
            found.add((kind, start, place))
            start = None
        if mark != "O" and start is None:
            start, kind = place, name
        last = mark
    return found


def expected(b: list[str], c: list[str]) -> float:
    """1 - F1 of the spans of two rows."""
    mine, other = spans(b), spans(c)
    return 1 - 2 * len(mine & other) / (len(mine) + len(other)) if mine or other else 0.0


def test_golden_numbers() -> None:
    """Both find a person and a place, and no span is the same; an I after another type begins a span."""
    tags = SpanTags.of(TAGS)
    kept = np.array([[True] * 5 + [False]])
    b, c = np.array([[1, 2, 0, 3, 4, 0]]), np.array([[1, 2, 2, 3, 0, 1]])
    assert span_loss(b, c, kept, tags).tolist() == [1.0]
    orphans = ["I-PER", "I-LOC", "O", "I-LOC", "B-LOC"]
    assert spans(orphans) == {("PER", 0, 1), ("LOC", 1, 2), ("LOC", 3, 4), ("LOC", 4, 5)}


@pytest.mark.parametrize("tags", [TAGS, ALL_TAGS], ids=len)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 5), places=st.integers(1, 12))
def test_loss_is_that_of_spans_found_one_by_one(tags: tuple[str, ...], seed: int, rows: int, places: int) -> None:
    """Masks may have gaps: the places beside them are neighbours."""
    random = np.random.default_rng(seed)
    b = random.integers(0, len(tags), (rows, places))
    c = np.where(random.random((rows, places)) < 0.7, b, random.integers(0, len(tags), (rows, places)))
    kept = random.random((rows, places)) < random.choice([0.5, 1.0])
    losses = span_loss(b, c, kept, SpanTags.of(tags))
    for row, loss in enumerate(losses):
        words = [[tags[tag] for tag in side[row][kept[row]]] for side in (b, c)]
        assert loss == pytest.approx(expected(*words), abs=1e-12)


def test_tags_of_bilou_are_those_of_bioes() -> None:
    """L ends a span as E does, and U is a span of one place as S is."""
    left, right = (SpanTags.of(tags) for tags in (("O", "B-X", "I-X", "L-X", "U-X"), ("O", "B-X", "I-X", "E-X", "S-X")))
    assert left.first.tolist() == right.first.tolist()
    assert left.last.tolist() == right.last.tolist()


def test_row_without_spans_agrees() -> None:
    """Nothing and nothing are alike; one span against none is all."""
    b, c = np.array([[0, 0], [0, 0]]), np.array([[0, 0], [1, 0]])
    assert span_loss(b, c, np.ones((2, 2), bool), SpanTags.of(TAGS)).tolist() == [0, 1]
