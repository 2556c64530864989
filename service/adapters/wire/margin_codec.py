"""The learned margin of clear rows in a snapshot. Snapshots of earlier versions do not have it."""

import numpy as np

from tightrope.monitors.clear_rows.clear_margin import LearnedMargin
from tightrope.service.adapters.wire.bounds import SHARES
from tightrope.service.adapters.wire.envelope import WireError, array, build, mapping


def read_margin(body: object) -> LearnedMargin:
    """Return it from its map; without any, nothing was learned.

    Raises:
        WireError: when a part does not fit.
    """
    values = mapping(body, "margin")
    if not values:
        return LearnedMargin()
    margins, margin = array(values.get("margins"), "margin.margins", "<f8"), values.get("margin")
    if margins.ndim != 1 or not bool(((margins >= SHARES.low) & (margins <= SHARES.high)).all()):
        raise WireError(f"margin.margins: must be numbers {SHARES}")
    if margin is not None and not (type(margin) is float and SHARES.contains(margin)):
        raise WireError(f"margin.margin: must be {SHARES}, or nothing")
    return build(LearnedMargin, "margin", {"margin": margin, "margins": np.asarray(margins)})
