"""The definition of a monitor: its question, observed quantity, default limit and share of the alarm budget."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tightrope.monitors.observations import Observed
from tightrope.monitors.records import Comparisons, Floats, Ints, Stream

SUBGROUP_FACTOR = 2.0
"""A subgroup's default limit as a multiple of the model's: on few rows a small excess is common."""


class Hypothesis(StrEnum):
    """The quantity under test: a rate against its limit, a mean against its tolerance on both sides or from above."""

    RATE = "rate"
    MEAN = "mean"
    UPPER = "upper"


class Need(StrEnum):
    """An offer of a kind of decision that a monitor needs: a confidence, the margin between the two likeliest answers,
    classes that both models say more or less often, one class a row, which a label can confirm, or a value that can lie
    above or below the baseline's.
    """

    CONFIDENCE = "confidence"
    MARGIN = "margin"
    CLASSES = "classes"
    LABELS = "labels"
    VALUE = "value"


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
    ``needs`` are what a kind of decision must offer. With ``class_of``, the class of each of n rows (n,), a row counts
    for that variant only, and ``observe`` has one column; classes from the last variant on count for that one.
    ``zeros`` are further rows with a value of 0 that enter with each of n rows, (n, S), or (n, 0) without any.
    Variants with less than ``least_share`` of the rows need not pass. A subgroup's default limit is ``subgroup_factor``
    times the model's.

    >>> from tightrope.monitors.catalogue import CATALOGUE
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
    needs: tuple[Need, ...] = ()
    needs_refusal: bool = False
    class_of: Callable[[Comparisons], Ints] | None = None
    zeros: Callable[[Comparisons], Floats] | None = None
    least_share: float = 0.0
    subgroup_factor: float = SUBGROUP_FACTOR

    def observe_variants(self, rows: Comparisons, variants: int) -> Observed:
        """The rows that count for each variant and their values, (n, V), also of a monitor with ``class_of``."""
        valid, y = self.observe(rows, variants)
        if self.class_of is None:
            return valid, y
        says = np.minimum(self.class_of(rows), variants - 1)[:, None] == np.arange(variants)
        return valid & says, np.repeat(y, variants, axis=1)
