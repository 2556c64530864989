"""The figures of scenarios in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from tightrope.offline.qualification.criteria import GAP_PROBE, MEMBERSHIP


def scenario_lines(scenarios: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each scenario, from its figures as a statement has them."""
    for name, figures in scenarios.items():
        yield f"{name}: {scenario_words(name, figures)}"


def scenario_words(name: str, figures: Mapping[str, Any]) -> str:
    """The figures of one scenario, or the reason without any.

    >>> scenario_words("blur", {"reason": "does not apply: no images"})
    'does not apply: no images'
    """
    if figures.get("reason"):
        return str(figures["reason"])
    if name == GAP_PROBE:
        return _probe(figures)
    if name == MEMBERSHIP:
        return _membership(figures)
    return _groups(figures) if "disparity" in figures else _flips(figures)


def _probe(figures: Mapping[str, Any]) -> str:
    starts = f"from {figures['found']:,} of {figures['starts']:,} rows {figures['queries']} queries find a gap of"
    if figures["found"]:
        return f"{starts} {figures['gap']:g}; half of them after {figures['median_query']:g} queries"
    return f"{starts} {figures['gap']:g}; the largest that was found is {figures['largest']:.3f}"


def _membership(figures: Mapping[str, Any]) -> str:
    """A threshold of the loss of each model, on rows that did not choose it."""
    shown = (
        f"by the {role} model's loss {each['members']:.1%} of the training and {each['others']:.1%} of other rows"
        f" are taken for it ({each['seen']:+.1%}, from {each['lower']:+.1%} to {each['upper']:+.1%})"
        for role, each in figures["advantage"].items()
    )
    return "; ".join(shown)


def _flips(figures: Mapping[str, Any]) -> str:
    """Figures that are 0 are left out of a statement."""
    ours, theirs, before, after = (
        f"{100 * figures.get(name, 0.0):.2f} %"
        for name in ("flips_compressed", "flips_baseline", "differ_before", "differ_after")
    )
    return f"{ours} of answers change, of the baseline's {theirs}; the models differ on {after}, before on {before}"


def _groups(figures: Mapping[str, Any]) -> str:
    parts = []
    if bins := figures["boundary"]:
        shown = 100 * bins[0]["differ"], 100 * bins[-1]["differ"]
        parts.append(f"{shown[0]:.1f} % differ in the tenth of least margin, {shown[1]:.1f} % in that of most")
    if disparity := figures["disparity"]:
        worst = max(disparity, key=lambda scope: disparity[scope])
        parts.append(f"{worst} differs {100 * disparity[worst]:+.1f} points from all others")
    return "; ".join(parts) or "no groups and no margins"
