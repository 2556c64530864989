"""The case of one monitor for a decision: its evidence as the event keeps it, and in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from tightrope.monitors.detector import LN10
from tightrope.monitors.detector_bank import Cells, Rule, recent_mean, recovery_evidence
from tightrope.monitors.intervals import words
from tightrope.monitors.intervals.estimates import Estimates, is_rate
from tightrope.monitors.verdict import Onset


@dataclass(frozen=True, slots=True)
class Case:
    """One monitor's case: ``detail`` in JSON types, ``text`` for people, and where the breach began, if that is known.

    >>> Case({"monitor": "disagreement"}, "disagreement without rows, limit 2 in 100", None).onset is None
    True
    """

    detail: dict[str, object]
    text: str
    onset: Onset | None


def make_case(
    rules: Sequence[Rule],
    cells: Cells,
    estimates: Estimates,
    indices: tuple[int, int],
    *,
    threshold: float,
    unit: str,
    breached: bool,
) -> Case:
    """Make the case of a rule and a scope, by ``indices``: of the variant with the most evidence, or that returned.

    Evidence is given as log10, with its recent path; ``threshold`` is the alarm's, in nats. A return has no beginning.
    """
    index, scope = indices
    rule, evidence = rules[index], rules[index].alarm.evidence(cells.log_mass)[:, scope]
    worst = int((evidence if breached else cells.tripped[:, scope]).argmax())
    cell = index, worst, scope
    now = estimates.intervals(rules, [cell])[cell]
    onset = estimates.locate(rules, cell, unit) if breached else None
    limit, variant = float(rule.cell_limits[worst, scope]), rule.variant_name(worst)
    rows, mean = recent_mean(cells, worst, scope)
    detail: dict[str, object] = {
        "monitor": rule.monitor.name,
        "variant": variant,
        "evidence": _log10(evidence[worst]),
        "threshold": threshold / LN10,
        "recovery": _log10(recovery_evidence(rule, cells)[scope]),
        "limit": limit,
        "count": int(cells.count[worst, scope]),
        "recent_count": rows,
        "recent_mean": mean,
        "path": [round(float(value) / LN10, 3) for value in cells.path[worst, scope, :, 0] if np.isfinite(value)],
        "now": asdict(now) if now else None,
        "since": asdict(onset) if onset else None,
    }
    parts = [words.finding(rule.monitor.name, variant, now, limit, rate=is_rate(rule))]
    if onset:
        parts[0] += f", {words.since(onset)}"
    if breached:
        parts.append(words.evidence_share(float(evidence[worst]), threshold))
    return Case({**detail, "text": "; ".join(parts)}, "; ".join(parts), onset)


def _log10(log_mass: float) -> float | None:
    """Convert to log10; None without evidence, because JSON has no minus infinity."""
    return float(log_mass) / LN10 if np.isfinite(log_mass) else None
