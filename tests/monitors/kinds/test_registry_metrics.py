"""Losses of 500 random rows equal the metrics that others publish: scikit-learn's, and conlleval's for spans of tags.

seqeval has no wheel; its spans are those of conlleval, which counts as the script of the CoNLL tasks does.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import conlleval
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.neighbors import NearestNeighbors

from tests.support.kind_samples import compare, layout
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import Compared, TensorLayout
from tightrope.monitors.records import Floats

ROWS, CLASSES, LABELS, PLACES = 500, 6, 5, 12
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
IOBES = ["O", *(f"{mark}-{kind}" for kind in ("PER", "LOC") for mark in "BIES")]
EXACT = {"rel": 1e-9, "abs": 1e-9}

Array = NDArray[Any]


def pair_of_rows(*sides: int, seed: int = 3) -> tuple[Floats, Floats]:
    """Numbers of two models, the second near the first; no two are equal."""
    random = np.random.default_rng(seed)
    baseline = random.normal(size=(ROWS, *sides))
    return baseline, baseline + random.normal(0, 0.6, baseline.shape)


def pair_of_ids(classes: int, seed: int = 5) -> tuple[Array, Array]:
    """Class ids of the places of two models; a third of the second differs."""
    random = np.random.default_rng(seed)
    baseline, other = random.integers(0, classes, (2, ROWS, PLACES))
    return baseline, np.where(random.random(baseline.shape) < 1 / 3, other, baseline)


def by_row(metric: Callable[..., float], b: Sequence[Any] | Array, c: Sequence[Any] | Array, **keys: Any) -> Floats:  # noqa: ANN401 - of the metric
    """A metric of each row by itself."""
    return np.array([metric(one, other, **keys) for one, other in zip(b, c, strict=True)])


def assert_recalls(compared: Compared, b: Array, c: Array) -> None:
    """A class misses one minus its recall, and gains one minus its precision."""
    recall, precision = (score(b, c, average=None) for score in (metrics.recall_score, metrics.precision_score))
    assert 1 - np.nanmean(compared.missed, axis=0) == pytest.approx(recall, **EXACT)
    assert 1 - np.nanmean(compared.gained, axis=0) == pytest.approx(precision, **EXACT)


def test_classes_are_compared_by_zero_one_loss_and_top_k() -> None:
    """And their classes by recall and precision."""
    b, c = pair_of_rows(CLASSES)
    first, other = b.argmax(axis=1), c.argmax(axis=1)
    compared = compare(KINDS["classes"]({"scale": "logits"}, layout(CLASSES)), b, c)
    assert compared.loss.tolist() == by_row(metrics.zero_one_loss, first[:, None], other[:, None]).tolist()
    assert_recalls(compared, first, other)
    inside = KINDS["classes"]({"scale": "logits", "top": 3, "match": "inside"}, layout(CLASSES))
    score = metrics.top_k_accuracy_score(first, c, k=3, labels=range(CLASSES))
    assert 1 - compare(inside, b, c).loss.mean() == pytest.approx(score, **EXACT)


def test_labels_and_answers_of_yes_or_no_are_compared_by_zero_one_loss() -> None:
    """A share of rows, and the recall of each class."""
    b, c = (ids[:, 0] for ids in pair_of_ids(LABELS))
    labels = KINDS["labels"]({"classes": [*map(str, range(LABELS))]}, layout(kind="i"))
    compared = compare(labels, b, c)
    assert compared.loss.mean() == pytest.approx(metrics.zero_one_loss(b, c), **EXACT)
    assert_recalls(compared, b, c)
    p, q = pair_of_rows(1)
    compared = compare(KINDS["binary"]({"scale": "logits"}, layout(1)), p, q)
    assert compared.loss.mean() == pytest.approx(metrics.zero_one_loss(p[:, 0] > 0, q[:, 0] > 0), **EXACT)
    assert_recalls(compared, p[:, 0] > 0, q[:, 0] > 0)


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        ("any", lambda b, c: metrics.zero_one_loss(b[None], c[None])),
        ("hamming", lambda b, c: metrics.hamming_loss(b[None], c[None])),
        ("jaccard", lambda b, c: 1 - metrics.jaccard_score(b[None], c[None], average="samples", zero_division=1.0)),
    ],
)
def test_several_labels_are_compared_by_their_metrics(loss: str, metric: Callable[[Array, Array], float]) -> None:
    """Rows without a label among them."""
    b, c = (rows - 1 for rows in pair_of_rows(LABELS))
    compared = compare(KINDS["multilabel"]({"scale": "logits", "loss": loss}, layout(LABELS)), b, c)
    assert compared.loss == pytest.approx(by_row(metric, b > 0, c > 0), **EXACT)
    assert_recalls(compared, b > 0, c > 0)


def test_numbers_are_compared_by_the_largest_error() -> None:
    """Against a tolerance, relative to the baseline's value, and as a share of a cap."""
    b, c = pair_of_rows(3)
    worst = by_row(metrics.max_error, b, c)
    absolute = compare(KINDS["regression"]({"tolerance": 0.9}, layout(3)), b, c)
    assert absolute.loss.tolist() == (worst > 0.9).tolist()
    clipped = compare(KINDS["regression"]({"loss": "clipped", "cap": 1.5}, layout(3)), b, c)
    assert clipped.loss == pytest.approx(np.minimum(worst / 1.5, 1), **EXACT)
    one, other = b[:, :1], c[:, :1]
    errors = by_row(metrics.mean_absolute_percentage_error, one, other)
    relative = compare(KINDS["regression"]({"loss": "relative", "tolerance": 0.4}, layout(1)), one, other)
    assert relative.loss.tolist() == (errors > 0.4).tolist()


def test_vectors_are_compared_by_cosine_and_neighbours() -> None:
    """Among fifty anchors."""
    b, c = pair_of_rows(8)
    cosines = 1 - metrics.pairwise.paired_cosine_distances(b, c)
    for loss, expected in (("cosine", (1 - cosines) / 2), ("angular", np.arccos(cosines) / np.pi)):
        assert compare(KINDS["embedding"]({"loss": loss}, layout(8)), b, c).loss == pytest.approx(expected, **EXACT)
    anchors = np.random.default_rng(9).normal(size=(50, 8))
    search = NearestNeighbors(n_neighbors=7, metric="cosine").fit(anchors)
    near_b, near_c = (search.kneighbors(rows, return_distance=False) for rows in (b, c))
    shared = [len({*one} & {*other}) / 7 for one, other in zip(near_b.tolist(), near_c.tolist(), strict=True)]
    kind = KINDS["embedding"]({"loss": "neighbours", "anchors": anchors, "k": 7}, layout(8))
    assert compare(kind, b, c).loss == pytest.approx(1 - np.array(shared), **EXACT)


def test_places_are_compared_by_share_and_overlap() -> None:
    """The kept places alone; with a background, the overlap of the other classes."""
    b, c = pair_of_ids(4)
    kept = np.random.default_rng(6).integers(0, 2, b.shape)
    kept[:, 0] = 1
    masked = layout(PLACES, kind="i", inputs=(TensorLayout("mask", (-1, PLACES), "i"),))
    tags = {"tags": ["sky", "sea", "sand", "sun"], "mask": "mask"}
    rows = [[ids[keep > 0] for ids, keep in zip(side, kept, strict=True)] for side in (b, c)]

    def loss(**options: object) -> Floats:
        return compare(KINDS["positions"]({**tags, **options}, masked), b, c, mask=kept).loss

    assert loss() == pytest.approx(by_row(metrics.zero_one_loss, *rows), **EXACT)
    assert loss(loss="iou") == pytest.approx(1 - by_row(overlap, *rows), **EXACT)
    assert loss(loss="iou", background=0) == pytest.approx(1 - by_row(overlap, *rows, background=0), **EXACT)


def overlap(b: Array, c: Array, background: int | None = None) -> float:
    """The mean Jaccard score of the classes that either side has."""
    present = sorted({*b.tolist(), *c.tolist()} - {background})
    return float(metrics.jaccard_score(b, c, labels=present, average="macro")) if present else 1.0


@pytest.mark.parametrize("tags", [TAGS, IOBES], ids=["BIO", "IOBES"])
def test_spans_are_compared_by_f1(tags: list[str]) -> None:
    """Also where an I stands without a B, and where types change inside of a span."""
    b, c = pair_of_ids(len(tags))
    kind = KINDS["positions"]({"tags": tags, "loss": "spans"}, layout(PLACES, kind="i"))
    assert compare(kind, b, c).loss == pytest.approx(1 - by_row(f1, b, c, tags=tags), **EXACT)


def f1(b: Array, c: Array, tags: list[str]) -> float:
    """The F1 score of the spans of a row; 1 where neither side has one."""
    if not b.any() and not c.any():
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = conlleval.evaluate(f"x {tags[one]} {tags[other]}" for one, other in zip(b, c, strict=True))
    return float(found["overall"]["chunks"]["evals"]["f1"])
