"""The sums behind reliability curves in a snapshot. Snapshots of earlier versions do not have them."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.reliability.curve_sums import CellSums, CurveSums
from tightrope.service.adapters.wire.bounds import COUNTS
from tightrope.service.adapters.wire.envelope import WireError, array, build, mapping


def read_curves(body: object) -> CurveSums:
    """Return them from their maps; those of no cell where a snapshot has none.

    Raises:
        WireError: when a part does not fit.
    """
    values = mapping(body, "curves")
    if not values:
        return CurveSums.fresh(0)
    cells = mapping(values.get("cells"), "curves.cells")
    names = [each.name for each in fields(CellSums)]
    sums = {name: array(cells.get(name), f"curves.cells.{name}", "<f8") for name in names}
    shape = 2, sums["rows"].shape[-1] if sums["rows"].ndim else 0
    dependent = array(values.get("dependent"), "curves.dependent", "|b1")
    if dependent.shape != (2,) or not all(each.shape == shape and _is_sum(each) for each in sums.values()):
        raise WireError(f"curves: must be numbers {COUNTS} of two cohorts, all of one shape")
    return build(CurveSums, "curves", {**values, "cells": CellSums(**sums), "dependent": dependent})


def _is_sum(values: NDArray[np.float64]) -> bool:
    """Sums of squares may lie below zero by as much as they are rounded."""
    return bool(((values >= -1) & (values <= COUNTS.high)).all())
