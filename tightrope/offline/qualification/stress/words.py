"""The figures of scenarios in words."""

from collections.abc import Iterator, Mapping
from typing import Any

from tightrope.offline.qualification.criteria import GAP_PROBE


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
    return _probe(figures) if name == GAP_PROBE else ""


def _probe(figures: Mapping[str, Any]) -> str:
    starts = f"from {figures['found']:,} of {figures['starts']:,} rows {figures['queries']} queries find a gap of"
    if figures["found"]:
        return f"{starts} {figures['gap']:g}; half of them after {figures['median_query']:g} queries"
    return f"{starts} {figures['gap']:g}; the largest that was found is {figures['largest']:.3f}"
