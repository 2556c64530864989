"""The veto of labels in a snapshot. Snapshots of earlier versions do not have it."""

import numpy as np

from tightrope.monitors.detector import BETS
from tightrope.monitors.veto.wealth import Veto
from tightrope.service.adapters.wire.bounds import COUNTS
from tightrope.service.adapters.wire.envelope import WireError, array, build, mapping
from tightrope.service.adapters.wire.state_bounds import MAX_EVIDENCE_NATS

_FLOATS, _NUMBERS = ("log_wealth", "closed", "newest"), ("labels", "agreed", "waiting")
VETO_DTYPES = {**dict.fromkeys(_FLOATS, "<f8"), **dict.fromkeys(_NUMBERS, "<i8"), "active": "|b1"}


def read_veto(body: object, scopes: int) -> Veto:
    """Return it from its map, for a number of scopes; without any, labels have shown nothing.

    Raises:
        WireError: when a part does not fit.
    """
    values = mapping(body, "veto")
    if not values:
        return Veto.fresh(scopes)
    arrays = {name: array(values.get(name), f"veto.{name}", dtype) for name, dtype in VETO_DTYPES.items()}
    wanted = dict.fromkeys(VETO_DTYPES, (scopes,)) | {"log_wealth": (scopes, len(BETS))}
    for name, found in arrays.items():
        if found.shape != wanted[name]:
            raise WireError(f"veto.{name}: of shape {found.shape} where {wanted[name]} should be")
    if not all(bool((arrays[name] <= MAX_EVIDENCE_NATS).all()) for name in ("log_wealth", "closed")):
        raise WireError("veto: evidence must be numbers, and not NaN")
    if np.isnan(arrays["newest"]).any():
        raise WireError("veto.newest: must not be NaN")
    if not all(bool(((arrays[name] >= 0) & (arrays[name] <= COUNTS.high)).all()) for name in _NUMBERS):
        raise WireError(f"veto: {', '.join(_NUMBERS)} must be {COUNTS}")
    return build(Veto, "veto", {**values, **arrays})
