"""The monitors of one model, with their limits in its scopes, from its settings and what its decision offers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.budget import MonitorSpec
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.clear_rows.clear_margin import MARGIN_ROWS, ClearDisagreement, clear_margin
from tightrope.monitors.definitions.clear_monitor import clear_above
from tightrope.monitors.definitions.definition import MonitorDefinition, Reach
from tightrope.monitors.records import Comparisons, Stream
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.review.common_rate import at_common_rate
from tightrope.monitors.scopes import is_other
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.config import models as config
from tightrope.service.inference.kinds.calibration_cells import with_curve_bins
from tightrope.service.inference.kinds.class_cells import (
    MAX_DEFAULT_SUBGROUP_LIMIT,
    class_limit,
    subgroup_cells,
    with_golden_cells,
)
from tightrope.service.inference.kinds.offers import (
    CLASS_MONITORS,
    LOSS_MONITOR,
    Offer,
    critical_classes,
)

LEAST_GOLDEN_ROWS = 100
"""Golden rows below which their margins say too little of a tenth of the rows."""


def monitor_specs(
    section: config.ModelSection,
    subgroups: Sequence[str],
    offer: Offer,
    golden: Comparisons | None,
    curves: CurveBins | None,
    margin: float | None,
) -> list[MonitorSpec]:
    """The specifications of all monitors in the model and its ``subgroups``, with the ``margin`` of clear rows and the
    cells and bins that golden rows choose.
    """
    found = [spec for monitor in CATALOGUE.values() for spec in _monitor_specs(section, monitor, subgroups, offer)]
    if margin is not None:
        found = [replace(spec, monitor=clear_above(spec.monitor, margin)) for spec in found]
    specs = with_curve_bins(found, curves)
    return specs if golden is None else with_golden_cells(specs, golden, section.limits, section.subgroup_limits)


def _monitor_specs(
    section: config.ModelSection, monitor: MonitorDefinition, subgroups: Sequence[str], offer: Offer
) -> Iterator[MonitorSpec]:
    """Yield the specification of one monitor, and that of its cells in subgroups where these are others; nothing where
    it is switched off or does not apply.
    """
    inapplicable = monitor.needs_refusal and section.refusal is None
    inapplicable = inapplicable or not offer.needs.issuperset(monitor.needs)
    inapplicable = inapplicable or (monitor.stream is Stream.LABELS and section.labels is None)
    inapplicable = inapplicable or (monitor.reach is Reach.SUBGROUPS and not subgroups)
    limit = section.limits.get(monitor.name, offer.limits.get(monitor.name, monitor.limit))
    variants = offer.variants(monitor)
    if inapplicable or limit is None or not variants:
        return
    observed, is_class = offer.adapted(monitor), monitor.name in CLASS_MONITORS
    if (draw := label_draw(section)).floor:
        observed = at_common_rate(observed, draw.floor)
    if is_class and monitor.name not in section.limits:
        limit = class_limit(section.limits.get(LOSS_MONITOR.name, offer.limits.get(LOSS_MONITOR.name)))
    default = min(monitor.subgroup_factor * limit, MAX_DEFAULT_SUBGROUP_LIMIT)
    subgroup_limit = section.subgroup_limits.get(monitor.name, default)
    limits = np.array([limit, *[subgroup_limit] * len(subgroups)])
    critical = critical_classes(section.decision, offer.every_class or variants) if is_class else ()
    fractional = monitor.name in offer.fractional and observed.class_of is None
    bound = 1.0
    if section.labels is not None and monitor.zeros is not None:
        bound = 1 / draw.least
    own = limits[:1] if observed.reach is Reach.MODEL else limits
    spec = MonitorSpec(observed, variants, own, lanes=section.lanes, fractional=fractional, critical=critical)
    unnamed = np.array([False, *map(is_other, subgroups)])
    spec = replace(spec, subgroup_limit=subgroup_limit, others=unnamed)
    yield spec if bound == 1 else replace(spec, bound=bound)
    if is_class and (others := subgroup_cells(spec, offer.every_class, limits)) is not None:
        yield others


def label_draw(section: config.ModelSection) -> LabelDraw:
    """The probabilities with which rows are drawn for labels; with a daily cap of reviews, the least one, too."""
    if section.labels is None:
        return LabelDraw()
    review = section.review
    floor = review.least_probability if review is not None and review.per_group_daily is not None else 0.0
    return LabelDraw(section.labels.disagreements, section.labels.random, floor)


def known_margin(proven: float | None, golden: Comparisons | None) -> float | None:
    """The margin of clear rows that is known before traffic: that of a statement, else of enough golden rows."""
    if proven is not None or golden is None or len(golden) < LEAST_GOLDEN_ROWS:
        return proven
    return clear_margin(golden.margin_baseline)


def margin_document(specs: Sequence[MonitorSpec]) -> dict[str, object]:
    """The margin of clear rows by dotted name in JSON types, or the rows that fix it; nothing without the monitor: part
    of the plan's digest and of what is told.
    """
    observed = [spec.monitor.observe for spec in specs if isinstance(spec.monitor.observe, ClearDisagreement)]
    if not observed:
        return {}
    margin = observed[0].margin
    return {"clear_margin": f"of the first {MARGIN_ROWS:,} rows" if margin is None else margin}
