"""The memory of repeats in a snapshot. Snapshots of earlier versions do not have it, or not all of it."""

from tightrope.monitors.intake.repeats import RepeatMemory, RepeatWarning
from tightrope.service.adapters.wire.envelope import array, mapping


def read_repeats(body: object) -> RepeatMemory:
    """Return it from its map; what a snapshot does not have is empty.

    Raises:
        WireError, TypeError or ValueError: when a part does not fit.
    """
    values = {**mapping(body, "repeats")}
    for name in ("inputs", "ids", "requests"):
        if name in values:
            values[name] = array(values[name], f"repeats.{name}", "<u4")
    if "differ" in values:
        values["differ"] = array(values["differ"], "repeats.differ", "|b1")
    if "warnings" in values:
        values["warnings"] = tuple(map(RepeatWarning, values["warnings"]))
    return RepeatMemory(**values)
