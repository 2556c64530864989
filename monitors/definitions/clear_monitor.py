"""The monitor of clear rows, before and after their margin is known."""

from collections.abc import Iterable
from dataclasses import replace

from tightrope.monitors.clear_rows.clear_margin import ClearDisagreement
from tightrope.monitors.definitions.definition import MonitorDefinition


def learns_margin(monitors: Iterable[MonitorDefinition]) -> bool:
    """Tell whether one of the monitors waits for the margin of clear rows."""
    return any(monitor.observe == ClearDisagreement() for monitor in monitors)


def clear_above(monitor: MonitorDefinition, margin: float) -> MonitorDefinition:
    """The monitor with the margin of clear rows, if it waits for it; another one as it is.

    >>> from tightrope.monitors.catalogue import CATALOGUE
    >>> clear_above(CATALOGUE["clear_disagreement"], 0.18).observe
    ClearDisagreement(margin=0.18)
    """
    return replace(monitor, observe=ClearDisagreement(margin)) if learns_margin([monitor]) else monitor
