"""Excess risk of disagreements that are drawn with different probabilities: all count with the least of these.

Where the small groups are drawn more often than the others, the labelled disagreements are more theirs than all
disagreements are, and so is a plain mean over them. The draw of a row is a number; those below the least probability
are what that probability alone draws: a random sample of all disagreements, with no weight.
"""

from dataclasses import dataclass, replace

from tightrope.monitors import observations
from tightrope.monitors.definitions.definition import MonitorDefinition
from tightrope.monitors.records import Comparisons
from tightrope.monitors.veto.drawing import label_numbers


@dataclass(frozen=True, slots=True)
class CommonRateExcess:
    """Excess risk where disagreements are drawn with different probabilities, of at least ``least``: one that was drawn
    counts where its number lies below that, so all count that would be drawn with that probability alone.

    >>> import numpy as np
    >>> rows = Comparisons.from_columns(
    ...     2, disagree=True, correct_baseline=1.0, correct_compressed=0.0, draw=[0.25 + 2.0**-28, 0.25 + 2.0**-31],
    ...     inclusion=[0.8, 0.8], agreed=np.zeros((2, 1)),
    ... )
    >>> CommonRateExcess(0.2)(rows, 1)[0].ravel().tolist()
    [False, True]
    """

    least: float

    def __call__(self, rows: Comparisons, variants: int) -> observations.Observed:
        """Return the rows that count, and their values."""
        counts, y = observations.excess(rows, variants)
        thinned = ~observations.drawn_for_label(rows) | (label_numbers(rows.draw) < self.least)
        return counts & thinned[:, None], y


def at_common_rate(monitor: MonitorDefinition, least: float) -> MonitorDefinition:
    """The monitor of excess risk where disagreements are drawn with probabilities of at least ``least``; others stay.

    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> at_common_rate(CATALOGUE["excess_risk"], 0.05).observe
    CommonRateExcess(least=0.05)
    """
    return replace(monitor, observe=CommonRateExcess(least)) if monitor.observe is observations.excess else monitor
