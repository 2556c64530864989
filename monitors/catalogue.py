"""The catalogue of monitors: question, observed quantity, default limit and budget share of each.

To add a monitor, add an entry: detectors, verdicts, metrics, configuration and documentation read this table. Shares
are of the one alarm budget: those of the monitors, of the subgroups, and those kept for what is to come sum to 1.
"""

from collections.abc import Sequence

from tightrope.monitors import observations
from tightrope.monitors.clear_rows.clear_margin import ClearDisagreement
from tightrope.monitors.definitions.definition import Hypothesis, MonitorDefinition, Need, Reach
from tightrope.monitors.definitions.label_monitors import LABEL_MONITORS
from tightrope.monitors.observations import CONFIDENCE_JUMP, CONFIDENCE_POINTS

SUBGROUP_SHARE = 0.2
"""The share of the alarm budget that all subgroups and all monitors split evenly, and each one's variants again."""

SEARCH_SHARE = 0.04
"""The share of the alarm budget that all slices of the search for undeclared subgroups split."""

SLOT_SHARE, SLOTS = 0.01, 8
"""The share of the alarm budget of the slices that the search chooses from the rows so far, and how many there can be;
each has an equal part.
"""

ADDED_SHARE, MAX_ADDED = 0.002, 5
"""The share of the alarm budget of a found group that is watched as a scope, which all monitors split evenly; and how
many there can be.
"""

HOST_SHARE = 0.01
"""The share of the alarm budget of all classes of hosts; each has an equal part, which all monitors split."""

MAX_CLASSES = 20
"""The largest number of classes that are watched one by one in subgroups; of more, the critical ones are."""

MAX_MODEL_CLASSES = 2048
"""The largest number of classes that are watched one by one at the model; the last cell has all others together."""

OTHER_CLASSES = "all other classes"


def _classes(classes: int) -> tuple[str, ...]:
    """With two classes, the second follows from the first."""
    if classes == 2:  # noqa: PLR2004 - binary
        return ("class 1",)
    return tuple(f"class {index}" for index in range(classes)) if classes <= MAX_CLASSES else ()


def class_variants(names: Sequence[str], chosen: Sequence[int] | None = None) -> tuple[str, ...]:
    """The classes that have a cell of their own, and one for all others together if there are more: the ``chosen`` ones
    by number, or the first.
    """
    if len(names) <= MAX_MODEL_CLASSES:
        return tuple(names)
    own = range(MAX_MODEL_CLASSES - 1) if chosen is None else chosen
    return (*(names[index] for index in own), OTHER_CLASSES)


def _each_class(classes: int) -> tuple[str, ...]:
    """Both of two classes as well: a class can be missed without a gain of the other that shows."""
    return class_variants([f"class {index}" for index in range(classes)])


CATALOGUE: dict[str, MonitorDefinition] = {
    monitor.name: monitor
    for monitor in (
        MonitorDefinition(
            name="disagreement",
            question="Does the compressed model decide differently from its baseline too often, or by too much?",
            statistic="1 if the two decisions differ (top-1 class, or values further apart than the tolerance), "
            "else 0; for other kinds of decision a loss between 0 and 1",
            blind_to="which of the two was right; harm in a subgroup that is not declared",
            hypothesis=Hypothesis.RATE,
            limit=0.02,
            share=0.2,
            observe=observations.disagreement,
        ),
        MonitorDefinition(
            name="clear_disagreement",
            question="Does the compressed model decide differently where its baseline is clear?",
            statistic="on rows whose margin of the baseline (the largest probability minus the second) lies above its "
            "10 % quantile: as disagreement",
            blind_to="harm among the rows about which the baseline hesitates; margins that change after the cut is "
            "fixed",
            hypothesis=Hypothesis.RATE,
            limit=0.01,
            share=0.02,
            observe=ClearDisagreement(),
            needs=(Need.MARGIN,),
            subgroup_factor=5.0,
        ),
        MonitorDefinition(
            name="confidence",
            question="Is the compressed model more, or less, confident than its baseline?",
            statistic="confidence of the compressed model minus that of its baseline, on the same row",
            blind_to="shifts up and down that cancel within a scope",
            hypothesis=Hypothesis.MEAN,
            limit=0.02,
            share=0.08,
            observe=observations.confidence,
            needs=(Need.CONFIDENCE,),
        ),
        MonitorDefinition(
            name="confidence_shape",
            question="Are the two distributions of confidence too far apart anywhere (paired Kolmogorov-Smirnov)?",
            statistic="for each of .1, .2 … .9: 1 if only the compressed model's confidence is at most that, -1 if "
            "only the baseline's, else 0",
            blind_to="differences between two of the nine points that cancel at both",
            hypothesis=Hypothesis.MEAN,
            limit=0.05,
            share=0.04,
            observe=observations.shape,
            variants=lambda _: tuple(f"at {point:g}" for point in CONFIDENCE_POINTS),
            ternary=True,
            reach=Reach.MODEL,
            needs=(Need.CONFIDENCE,),
        ),
        MonitorDefinition(
            name="confidence_jump",
            question="Does the compressed model's confidence lie far below, or far above, its baseline's too often?",
            statistic=f"1 if the compressed model's confidence is more than {CONFIDENCE_JUMP:g} below its baseline's "
            "(down), or more than that above (up), else 0",
            blind_to=f"differences of confidence up to {CONFIDENCE_JUMP:g} on one row",
            hypothesis=Hypothesis.RATE,
            limit=0.02,
            share=0.03,
            observe=observations.jump,
            variants=lambda _: ("down", "up"),
            needs=(Need.CONFIDENCE,),
        ),
        MonitorDefinition(
            name="bias",
            question="Does the compressed model's value lie above, or below, its baseline's on average?",
            statistic="value of the compressed model minus that of its baseline as a share of the cap, within -1 and 1",
            blind_to="errors up and down that cancel within a scope",
            hypothesis=Hypothesis.MEAN,
            limit=0.02,
            share=0.08,
            observe=observations.bias,
            needs=(Need.VALUE,),
        ),
        MonitorDefinition(
            name="mix",
            question="Does the compressed model predict a class more, or less, often than its baseline, in a subgroup?",
            statistic="per class: 1 if only the compressed model predicts it, -1 if only the baseline does, else 0; "
            "for places, the difference of its shares",
            blind_to="predictions that swap within a subgroup",
            hypothesis=Hypothesis.MEAN,
            limit=0.02,
            share=0.0,
            observe=observations.mix,
            variants=_classes,
            ternary=True,
            reach=Reach.SUBGROUPS,
            needs=(Need.CLASSES,),
        ),
        MonitorDefinition(
            name="class_miss",
            question="Does the compressed model miss a class that its baseline says?",
            statistic="per class, on rows on which the baseline says it: 1 if the compressed model says another, else "
            "0; for other kinds of decision a loss between 0 and 1",
            blind_to="classes that the baseline never says; swaps below the limit",
            hypothesis=Hypothesis.RATE,
            limit=0.1,
            share=0.07,
            observe=observations.differs,
            variants=_each_class,
            needs=(Need.CLASSES,),
            class_of=observations.baseline_class,
        ),
        MonitorDefinition(
            name="class_gain",
            question="Does the compressed model say a class where its baseline says another?",
            statistic="per class, on rows on which the compressed model says it: 1 if the baseline says another, else "
            "0; for other kinds of decision a loss between 0 and 1",
            blind_to="classes that the compressed model never says; swaps below the limit",
            hypothesis=Hypothesis.RATE,
            limit=0.1,
            share=0.05,
            observe=observations.differs,
            variants=_each_class,
            needs=(Need.CLASSES,),
            class_of=observations.compressed_class,
        ),
        MonitorDefinition(
            name="refusal_rate",
            question="Does the compressed model refuse more, or less, often than its baseline?",
            statistic="1 if only the compressed model refuses, -1 if only the baseline does, else 0",
            blind_to="refusals that move from one row to another within a scope",
            hypothesis=Hypothesis.MEAN,
            limit=0.01,
            share=0.05,
            observe=observations.refusals,
            ternary=True,
            needs=(Need.CONFIDENCE,),
            needs_refusal=True,
        ),
        MonitorDefinition(
            name="refusal_persistence",
            question="Where the baseline refuses, does the compressed model answer?",
            statistic="on rows that the baseline refuses: 1 if the compressed model answers, else 0",
            blind_to="scopes in which the baseline hardly ever refuses",
            hypothesis=Hypothesis.RATE,
            limit=0.1,
            share=0.05,
            observe=observations.persistence,
            needs=(Need.CONFIDENCE,),
            needs_refusal=True,
        ),
        *LABEL_MONITORS,
    )
}
