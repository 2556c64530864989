"""The monitors: one question each about the stream of comparisons, what it observes, its default limit, its budget
share.

To add a monitor, add an entry: detectors, verdicts, metrics, configuration and documentation read this table. The
shares are of the one alarm budget; 0.03 is kept for monitors still to come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitors.records import Bools, Comparisons, Fault, Floats, Stream

SUBGROUP_SHARE = 0.2
"""The share of the alarm budget that all subgroup cells of all monitors split evenly."""

SUBGROUP_FACTOR = 2.0
"""A subgroup's default limit, as a multiple of the model's: few rows say little, and a small excess there is common."""

MOST_CLASSES = 20
"""Beyond so many classes their mix is not watched class by class."""


class Kind(StrEnum):
    """What is tested: a rate against its limit, a mean against its tolerance on both sides, or on the upper only."""

    RATE = "rate"
    MEAN = "mean"
    UPPER = "upper"


class Reach(StrEnum):
    """Which scopes a monitor watches."""

    ALL = "model and subgroups"
    MODEL = "model"
    SUBGROUPS = "subgroups"


Observed = tuple[Bools, Floats]
"""For n comparisons and V variants: which rows speak to the question (n, V), what they say (n, V), NaN where not."""


def _one(_: int) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True, slots=True)
class Question:
    """One monitor. ``share`` is the model-wide cell's part of the alarm budget, split evenly over its variants.

    ``variants`` names them for a number of classes (0 where it is not known); ``ternary`` promises that y is -1, 0
    or 1, so that counts suffice.
    """

    name: str
    asks: str
    statistic: str
    blind_to: str
    kind: Kind
    limit: float
    share: float
    observe: Callable[[Comparisons, int], Observed]
    variants: Callable[[int], tuple[str, ...]] = _one
    ternary: bool = False
    stream: Stream = Stream.COMPARISONS
    reach: Reach = Reach.ALL
    needs_classes: bool = False
    needs_refusal: bool = False


def _sound(rows: Comparisons) -> Bools:
    return np.asarray(rows.fault == Fault.NONE)[:, None]


def _disagreement(rows: Comparisons, _: int) -> Observed:
    return _sound(rows), rows.disagree[:, None].astype(np.float64)


def _confidence(rows: Comparisons, _: int) -> Observed:
    return _sound(rows), (rows.confidence_compressed - rows.confidence_baseline)[:, None]


QUANTILES = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Confidences at which the two distribution functions are held against each other."""


def _shape(rows: Comparisons, variants: int) -> Observed:
    at = np.array(QUANTILES)
    y = (rows.confidence_compressed[:, None] <= at).astype(float) - (rows.confidence_baseline[:, None] <= at)
    return np.repeat(_sound(rows), variants, axis=1), y


def _classes(classes: int) -> tuple[str, ...]:
    """Of two classes one says it all."""
    if classes == 2:  # noqa: PLR2004 - binary
        return ("class 1",)
    return tuple(f"class {index}" for index in range(classes)) if classes <= MOST_CLASSES else ()


def _mix(rows: Comparisons, variants: int) -> Observed:
    classes = np.arange(variants) if variants > 1 else np.array([1])
    y = (rows.top_compressed[:, None] == classes).astype(float) - (rows.top_baseline[:, None] == classes)
    return np.repeat(_sound(rows), variants, axis=1), y


def _refusals(rows: Comparisons, _: int) -> Observed:
    return _sound(rows), (rows.refused_compressed.astype(np.float64) - rows.refused_baseline)[:, None]


def _persistence(rows: Comparisons, _: int) -> Observed:
    return _sound(rows) & rows.refused_baseline[:, None], (~rows.refused_compressed[:, None]).astype(np.float64)


def _labelled(rows: Comparisons) -> Bools:
    return np.asarray(_sound(rows) & np.isfinite(rows.correct_baseline)[:, None])


def _accuracy(rows: Comparisons, _: int) -> Observed:
    return _labelled(rows), (rows.correct_baseline - rows.correct_compressed)[:, None]


def _excess(rows: Comparisons, _: int) -> Observed:
    return _labelled(rows) & rows.disagree[:, None], (rows.correct_baseline - rows.correct_compressed)[:, None]


def _brier(rows: Comparisons, _: int) -> Observed:
    compressed = (rows.confidence_compressed - rows.correct_compressed) ** 2
    return _labelled(rows), (compressed - (rows.confidence_baseline - rows.correct_baseline) ** 2)[:, None]


BINS = 10


def _bins(_: int) -> tuple[str, ...]:
    return tuple(f"{low / BINS:g} to {(low + 1) / BINS:g}" for low in range(BINS))


def _calibration(rows: Comparisons, variants: int) -> Observed:
    sure = np.where(np.isfinite(rows.confidence_compressed), rows.confidence_compressed, 0.0)
    of = np.minimum((sure * BINS).astype(int), BINS - 1)
    y = np.repeat((rows.confidence_compressed - rows.correct_compressed)[:, None], variants, axis=1)
    return _labelled(rows) & (of[:, None] == np.arange(variants)), y


CATALOGUE: dict[str, Question] = {
    question.name: question
    for question in (
        Question(
            name="disagreement",
            asks="Does the compressed model decide otherwise than its baseline too often?",
            statistic="1 if the two decisions differ (top-1 class, or values further apart than the tolerance), else 0",
            blind_to="who of the two was right; harm in a subgroup that nobody declared",
            kind=Kind.RATE,
            limit=0.02,
            share=0.25,
            observe=_disagreement,
        ),
        Question(
            name="confidence",
            asks="Has the compressed model become more, or less, sure of itself than its baseline?",
            statistic="confidence of the compressed model minus that of its baseline, on the same row",
            blind_to="shifts up and down that cancel within a scope",
            kind=Kind.MEAN,
            limit=0.02,
            share=0.1,
            observe=_confidence,
            needs_classes=True,
        ),
        Question(
            name="confidence_shape",
            asks="Are the two distributions of confidence too far apart anywhere (paired Kolmogorov-Smirnov)?",
            statistic="for each of .1, .2 … .9: 1 if only the compressed model's confidence is at most that, -1 if "
            "only the baseline's, else 0",
            blind_to="differences between two of the nine points that cancel at both",
            kind=Kind.MEAN,
            limit=0.05,
            share=0.05,
            observe=_shape,
            variants=lambda _: tuple(f"at {at:g}" for at in QUANTILES),
            ternary=True,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        Question(
            name="mix",
            asks="Does the compressed model give a class more, or less, often than its baseline, in a subgroup?",
            statistic="for each class: 1 if only the compressed model said it, -1 if only the baseline did, else 0",
            blind_to="answers that changed places within a subgroup",
            kind=Kind.MEAN,
            limit=0.02,
            share=0.0,
            observe=_mix,
            variants=_classes,
            ternary=True,
            reach=Reach.SUBGROUPS,
            needs_classes=True,
        ),
        Question(
            name="refusal_rate",
            asks="Does the compressed model refuse more, or less, often than its baseline?",
            statistic="1 if only the compressed model refused, -1 if only the baseline did, else 0",
            blind_to="refusals that moved from one row to another within a scope",
            kind=Kind.MEAN,
            limit=0.01,
            share=0.1,
            observe=_refusals,
            ternary=True,
            needs_classes=True,
            needs_refusal=True,
        ),
        Question(
            name="refusal_persistence",
            asks="Where the baseline would have refused, does the compressed model answer all the same?",
            statistic="among the rows that the baseline refuses: 1 if the compressed model does not, else 0",
            blind_to="scopes in which the baseline hardly ever refuses",
            kind=Kind.RATE,
            limit=0.1,
            share=0.1,
            observe=_persistence,
            needs_classes=True,
            needs_refusal=True,
        ),
        Question(
            name="accuracy",
            asks="Is the compressed model wrong more often than its baseline, as far as labels tell?",
            statistic="of labelled rows: 1 if only the baseline was right, -1 if only the compressed model was, else 0",
            blind_to="rows whose label never comes",
            kind=Kind.UPPER,
            limit=0.01,
            share=0.1,
            observe=_accuracy,
            ternary=True,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        Question(
            name="excess_risk",
            asks="Where the two disagree, is it mostly the baseline that is right?",
            statistic="of labelled rows on which they disagree: 1 if only the baseline was right, -1 if only the "
            "compressed model was, else 0",
            blind_to="how often they disagree",
            kind=Kind.UPPER,
            limit=0.3,
            share=0.02,
            observe=_excess,
            ternary=True,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        Question(
            name="brier",
            asks="Is the compressed model's confidence a worse forecast of being right than its baseline's?",
            statistic="of labelled rows: squared error of the compressed model's confidence minus its baseline's",
            blind_to="errors of confidence that both models share",
            kind=Kind.UPPER,
            limit=0.01,
            share=0.03,
            observe=_brier,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        Question(
            name="calibration",
            asks="Does the compressed model's confidence say how often it is right?",
            statistic="of labelled rows, by tenth of confidence: confidence minus 1 if right, else 0",
            blind_to="errors that cancel within a tenth; a baseline that is as badly calibrated",
            kind=Kind.MEAN,
            limit=0.05,
            share=0.02,
            observe=_calibration,
            variants=_bins,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
    )
}
