"""The figures of scenarios in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tightrope.offline.qualification.criteria import GAP_PROBE, MEMBERSHIP

ANSWERING = {"baseline": "the baseline", "compressed": "the compressed model"}


def scenario_lines(scenarios: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A line for each scenario, from its figures as a statement has them."""
    for name, figures in scenarios.items():
        yield f"{name}: {scenario_words(name, figures)}"


def scenario_words(name: str, figures: Mapping[str, Any], title: Callable[[str], str] = str) -> str:
    """The figures of one scenario, or the reason without any; ``title`` names a scope.

    >>> scenario_words("blur", {"reason": "does not apply: no images"})
    'does not apply: no images'
    """
    if figures.get("reason"):
        return str(figures["reason"])
    if name == GAP_PROBE:
        return _probe(figures)
    if name == MEMBERSHIP:
        return _membership(figures)
    if "links" in figures:
        return _links(figures["links"])
    return _groups(figures, title) if "disparity" in figures else _flips(figures)


def _probe(figures: Mapping[str, Any]) -> str:
    starts = f"from {figures['found']:,} of {figures['starts']:,} rows {figures['queries']} queries find a gap of"
    gap = " ".join(part for part in (f"{figures['gap']:g}", figures.get("unit", "")) if part)
    if figures["found"]:
        return f"{starts} {gap}; half of them after {figures['median_query']:g} queries"
    return f"{starts} {gap}; the largest that was found is {figures['largest']:.3f}"


def _membership(figures: Mapping[str, Any]) -> str:
    """A threshold of the loss of each model, on rows that did not choose it."""
    shown = (
        f"by the {role} model's loss {each['members']:.1%} of the training and {each['others']:.1%} of other rows"
        f" are taken for it ({each['seen']:+.1%}, from {each['lower']:+.1%} to {each['upper']:+.1%})"
        for role, each in figures["advantage"].items()
    )
    return "; ".join(shown)


def _links(links: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """A part for each link to each role on another server."""
    shown = ((role, link, figures) for role, found in links.items() for link, figures in found.items())
    return "; ".join(f"{role}, {link}: {_link(figures)}" for role, link, figures in shown)


def _link(figures: Mapping[str, Any]) -> str:
    """Figures that are 0 or empty are left out of a statement."""
    requests, answered = figures.get("requests", 0), figures.get("answered", {})
    parts = [f"{ANSWERING.get(role, role)} answered {count} of {requests}" for role, count in answered.items()]
    if parts:
        parts[-1] += f", 99 of 100 within {1e3 * figures['p99']:,.0f} ms"
    if failed := figures.get("failed"):
        parts.append(f"{failed} of {requests} had an error, the last after {1e3 * figures['failed_after']:,.0f} ms")
    if waiting := figures.get("waiting"):
        since = f"since {figures['waiting_since']:.1f} s at most"
        parts.append(f"{waiting} of {requests} were waiting {since} when {figures['seconds']:g} s were over")
    reason = f" ({figures['error']})" if figures.get("error") else ""
    return f"{' and '.join(parts)}{reason}"


def _flips(figures: Mapping[str, Any]) -> str:
    """Figures that are 0 are left out of a statement."""
    ours, theirs, before, after = (
        f"{100 * figures.get(name, 0.0):.2f} %"
        for name in ("flips_compressed", "flips_baseline", "differ_before", "differ_after")
    )
    return f"{ours} of answers change, of the baseline's {theirs}; the models differ on {after}, before on {before}"


def _groups(figures: Mapping[str, Any], title: Callable[[str], str]) -> str:
    parts = []
    if bins := figures["boundary"]:
        shown = 100 * bins[0]["differ"], 100 * bins[-1]["differ"]
        by = figures.get("by", "margin")
        parts.append(f"{shown[0]:.1f} % differ in the tenth of least {by}, {shown[1]:.1f} % in that of most")
    elif reason := figures.get("no_boundary"):
        parts.append(f"by margin not measured: {reason}")
    if disparity := figures["disparity"]:
        worst = max(disparity, key=lambda scope: disparity[scope])
        parts.append(f"{title(worst)} differs {100 * disparity[worst]:+.1f} points from all others")
    return "; ".join(parts) or "no groups and no margins"
