"""The catalogue of monitors: question, observed quantity, default limit and budget share of each.

To add a monitor, add an entry: detectors, verdicts, metrics, configuration and documentation read this table. Shares
are of the one alarm budget; 0.03 is reserved for monitors still to come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tightrope.monitors import observations
from tightrope.monitors.observations import CALIBRATION_BINS, CONFIDENCE_POINTS, Observed
from tightrope.monitors.records import Comparisons, Stream

SUBGROUP_SHARE = 0.2
"""The share of the alarm budget that all subgroup cells of all monitors split evenly."""

SUBGROUP_FACTOR = 2.0
"""A subgroup's default limit as a multiple of the model's: on few rows a small excess is common."""

MAX_CLASSES = 20
"""The largest number of classes whose mix is watched class by class."""


class Hypothesis(StrEnum):
    """The quantity under test: a rate against its limit, a mean against its tolerance on both sides or from above."""

    RATE = "rate"
    MEAN = "mean"
    UPPER = "upper"


class Reach(StrEnum):
    """The scopes that a monitor watches."""

    ALL = "model and subgroups"
    MODEL = "model"
    SUBGROUPS = "subgroups"


def _single(_: int) -> tuple[str, ...]:
    return ("",)


@dataclass(frozen=True, slots=True)
class MonitorDefinition:
    """One monitor. ``share`` is the model-wide cell's share of the alarm budget, split evenly over its variants.

    ``observe`` maps n comparisons and a number of variants V to a mask and values, both (n, V). ``variants`` names the
    variants for a number of classes (0: unknown); ``ternary`` promises values of -1, 0 or 1, so that counts suffice.

    >>> CATALOGUE["mix"].variants(3)
    ('class 0', 'class 1', 'class 2')
    """

    name: str
    question: str
    statistic: str
    blind_to: str
    hypothesis: Hypothesis
    limit: float
    share: float
    observe: Callable[[Comparisons, int], Observed]
    variants: Callable[[int], tuple[str, ...]] = _single
    ternary: bool = False
    stream: Stream = Stream.COMPARISONS
    reach: Reach = Reach.ALL
    needs_classes: bool = False
    needs_refusal: bool = False


def _classes(classes: int) -> tuple[str, ...]:
    """With two classes, the second follows from the first."""
    if classes == 2:  # noqa: PLR2004 - binary
        return ("class 1",)
    return tuple(f"class {index}" for index in range(classes)) if classes <= MAX_CLASSES else ()


def _bins(_: int) -> tuple[str, ...]:
    return tuple(f"{low / CALIBRATION_BINS:g} to {(low + 1) / CALIBRATION_BINS:g}" for low in range(CALIBRATION_BINS))


CATALOGUE: dict[str, MonitorDefinition] = {
    monitor.name: monitor
    for monitor in (
        MonitorDefinition(
            name="disagreement",
            question="Does the compressed model decide differently from its baseline too often?",
            statistic="1 if the two decisions differ (top-1 class, or values further apart than the tolerance), else 0",
            blind_to="which of the two was right; harm in a subgroup that is not declared",
            hypothesis=Hypothesis.RATE,
            limit=0.02,
            share=0.25,
            observe=observations.disagreement,
        ),
        MonitorDefinition(
            name="confidence",
            question="Is the compressed model more, or less, confident than its baseline?",
            statistic="confidence of the compressed model minus that of its baseline, on the same row",
            blind_to="shifts up and down that cancel within a scope",
            hypothesis=Hypothesis.MEAN,
            limit=0.02,
            share=0.1,
            observe=observations.confidence,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="confidence_shape",
            question="Are the two distributions of confidence too far apart anywhere (paired Kolmogorov-Smirnov)?",
            statistic="for each of .1, .2 … .9: 1 if only the compressed model's confidence is at most that, -1 if "
            "only the baseline's, else 0",
            blind_to="differences between two of the nine points that cancel at both",
            hypothesis=Hypothesis.MEAN,
            limit=0.05,
            share=0.05,
            observe=observations.shape,
            variants=lambda _: tuple(f"at {point:g}" for point in CONFIDENCE_POINTS),
            ternary=True,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="mix",
            question="Does the compressed model predict a class more, or less, often than its baseline, in a subgroup?",
            statistic="per class: 1 if only the compressed model predicts it, -1 if only the baseline does, else 0",
            blind_to="predictions that swap within a subgroup",
            hypothesis=Hypothesis.MEAN,
            limit=0.02,
            share=0.0,
            observe=observations.mix,
            variants=_classes,
            ternary=True,
            reach=Reach.SUBGROUPS,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="refusal_rate",
            question="Does the compressed model refuse more, or less, often than its baseline?",
            statistic="1 if only the compressed model refuses, -1 if only the baseline does, else 0",
            blind_to="refusals that move from one row to another within a scope",
            hypothesis=Hypothesis.MEAN,
            limit=0.01,
            share=0.1,
            observe=observations.refusals,
            ternary=True,
            needs_classes=True,
            needs_refusal=True,
        ),
        MonitorDefinition(
            name="refusal_persistence",
            question="Where the baseline refuses, does the compressed model answer?",
            statistic="on rows that the baseline refuses: 1 if the compressed model answers, else 0",
            blind_to="scopes in which the baseline hardly ever refuses",
            hypothesis=Hypothesis.RATE,
            limit=0.1,
            share=0.1,
            observe=observations.persistence,
            needs_classes=True,
            needs_refusal=True,
        ),
        MonitorDefinition(
            name="accuracy",
            question="Is the compressed model wrong more often than its baseline, on labelled rows?",
            statistic="on labelled rows: 1 if only the baseline is right, -1 if only the compressed model is, else 0",
            blind_to="rows whose label never arrives",
            hypothesis=Hypothesis.UPPER,
            limit=0.01,
            share=0.1,
            observe=observations.accuracy,
            ternary=True,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="excess_risk",
            question="Where the two disagree, is the baseline right more often?",
            statistic="on labelled rows on which they disagree: 1 if only the baseline is right, -1 if only the "
            "compressed model is, else 0",
            blind_to="how often they disagree",
            hypothesis=Hypothesis.UPPER,
            limit=0.3,
            share=0.02,
            observe=observations.excess,
            ternary=True,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="brier",
            question="Is the compressed model's confidence a worse forecast of being right than its baseline's?",
            statistic="on labelled rows: squared error of the compressed model's confidence minus its baseline's",
            blind_to="errors of confidence that both models share",
            hypothesis=Hypothesis.UPPER,
            limit=0.01,
            share=0.03,
            observe=observations.brier,
            stream=Stream.LABELS,
            reach=Reach.MODEL,
            needs_classes=True,
        ),
        MonitorDefinition(
            name="calibration",
            question="Does the compressed model's confidence equal the rate at which it is right?",
            statistic="on labelled rows, by tenth of confidence: confidence minus 1 if right, else 0",
            blind_to="errors that cancel within a tenth; a baseline that is as badly calibrated",
            hypothesis=Hypothesis.MEAN,
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
