"""The monitors: one question each about the stream of comparisons, what it observes, its default limit, its budget
share.

To add a monitor, add an entry: detectors, verdicts, metrics, configuration and documentation read this table. The
shares are of the one alarm budget; 0.03 is kept for monitors still to come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tightrope.monitors import observations
from tightrope.monitors.observations import BINS, QUANTILES, Observed
from tightrope.monitors.records import Comparisons, Stream

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


def _classes(classes: int) -> tuple[str, ...]:
    """Of two classes one says it all."""
    if classes == 2:  # noqa: PLR2004 - binary
        return ("class 1",)
    return tuple(f"class {index}" for index in range(classes)) if classes <= MOST_CLASSES else ()


def _bins(_: int) -> tuple[str, ...]:
    return tuple(f"{low / BINS:g} to {(low + 1) / BINS:g}" for low in range(BINS))


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
            observe=observations.disagreement,
        ),
        Question(
            name="confidence",
            asks="Has the compressed model become more, or less, sure of itself than its baseline?",
            statistic="confidence of the compressed model minus that of its baseline, on the same row",
            blind_to="shifts up and down that cancel within a scope",
            kind=Kind.MEAN,
            limit=0.02,
            share=0.1,
            observe=observations.confidence,
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
            observe=observations.shape,
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
            observe=observations.mix,
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
            observe=observations.refusals,
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
            observe=observations.persistence,
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
            observe=observations.accuracy,
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
            observe=observations.excess,
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
            observe=observations.brier,
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
            observe=observations.calibration,
            variants=_bins,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
    )
}
