"""The bins of confidence of the calibration monitor and of reliability curves, as the golden rows choose them.

Without golden rows the monitor has tenths of the compressed model's confidence; those with a share of the labels need
to pass. The curves of subgroups then have one fixed edge.
"""

from collections.abc import Sequence
from dataclasses import replace

from tightrope.monitors import observations
from tightrope.monitors.budget import MonitorSpec
from tightrope.monitors.definitions.definition import Need
from tightrope.monitors.observations import CalibrationGap, bin_names
from tightrope.monitors.records import Comparisons
from tightrope.monitors.reliability.curve_bins import CurveBins

CURVE_NEEDS = frozenset({Need.LABELS, Need.CONFIDENCE})
"""The offers of a decision that a curve needs."""


def curve_bins(golden: Comparisons | None, *, offered: bool) -> CurveBins | None:
    """The bins of a model's curves; None where it has none: without labels, or a kind without what curves need."""
    if not offered:
        return None
    return CurveBins() if golden is None else CurveBins.from_golden(golden.confidence_baseline)


def with_curve_bins(specs: Sequence[MonitorSpec], bins: CurveBins | None) -> list[MonitorSpec]:
    """Give the calibration monitor the bins that golden rows chose."""
    if bins is None or not bins.golden:
        return list(specs)
    observe, names = CalibrationGap(bins.model), bin_names(bins.model)
    return [
        replace(spec, monitor=replace(spec.monitor, observe=observe), variants=names)
        if spec.monitor.observe is observations.calibration
        else spec
        for spec in specs
    ]


def bins_document(bins: CurveBins | None) -> dict[str, object]:
    """The edges that golden rows chose, by dotted name in JSON types: part of the plan's digest and of what is told."""
    if bins is None or not bins.golden:
        return {}
    return {"calibration_edges.model": list(bins.model), "calibration_edges.subgroups": list(bins.subgroups)}
