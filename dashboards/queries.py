"""The PromQL that the panels share: selectors of the chosen installations and models, rates and percentiles."""

ONE_INSTALLATION = 'cluster="$cluster", namespace="$namespace"'
CHOSEN_INSTALLATIONS = 'cluster=~"$cluster", namespace=~"$namespace"'
"""Matchers of the chosen installation, and of all chosen ones; series without these labels have empty values."""

ONE_MODEL = f'{{{ONE_INSTALLATION}, model="$model"}}'
CHOSEN_MODELS = f'{{{CHOSEN_INSTALLATIONS}, model=~"$model"}}'
ALL_PROCESSES = f"{{{CHOSEN_INSTALLATIONS}}}"
SCRAPED_PROCESSES = f'{{{CHOSEN_INSTALLATIONS}, job=~"tightrope.*"}}'
"""Selectors of the chosen model, of all chosen ones, of the processes of the chosen installations by their own metrics,
and by Prometheus' about a process.
"""

INSTALLATION = "cluster, namespace"
MODEL = f"{INSTALLATION}, model"
OF_INSTALLATION = "{{cluster}} {{namespace}}"
LEGEND = f"{{{{model}}}} {OF_INSTALLATION}"
"""Panels with several installations keep their labels, and have them in the names of lines: an installation without
them has the short name.
"""

RATE_INTERVAL = "[$__rate_interval]"


def answered_by(labels: str, selector: str, models: str) -> str:
    """The model that answers scopes, by ``labels`` with ``scope`` among them: 0 the small one, 1 the full one, 2 where
    the whole model is narrowed to classes that are asked again. ``models`` selects what has no scope.
    """
    safe = f"max by ({labels}) (tightrope_safe_mode_active{selector})"
    asked = f'label_replace(tightrope_asked_classes{models} > bool 0, "scope", "model", "", "")'
    return f"({safe} + on ({labels}) max by ({labels}) ({asked}) or {safe})"


def narrowed(selector: str, matchers: str) -> str:
    """A selector with more matchers."""
    return f"{selector[:-1]}, {matchers}}}"


def of_role(selector: str, role: str) -> str:
    """A selector of one of the two models of a pair."""
    return narrowed(selector, f'role="{role}"')


def rate_by(metric: str, labels: str, selector: str, also: str = "") -> str:
    """The growth of a counter per second, summed by ``labels``; ``also`` adds matchers to ``selector``."""
    return f"sum by ({labels}) (rate({metric}{narrowed(selector, also) if also else selector}{RATE_INTERVAL}))"


def increase_by(metric: str, labels: str) -> dict[str, str]:
    """The increase of a counter of the processes, as one line for each value of the labels."""
    names = " ".join(f"{{{{{name}}}}}" for name in labels.split(", "))
    increase = f"increase({metric}{ALL_PROCESSES}{RATE_INTERVAL})"
    return {f"{names} {OF_INSTALLATION}": f"sum by ({INSTALLATION}, {labels}) ({increase})"}


def percentile_95(histogram: str, labels: str, selector: str) -> str:
    """The 95th percentile of a histogram's buckets, by labels."""
    by = f"le, {labels}" if labels else "le"
    return f"histogram_quantile(0.95, {rate_by(histogram, by, selector)})"
