"""Rules and dashboards for the labels of an installation, by which those of one Prometheus are told apart.

The shipped files keep and choose by the labels cluster and namespace, in a form that others can be added to: groupings
begin with ``cluster, namespace``, and every selector of a rule has a matcher of the namespace that selects all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tightrope.dashboards.grid import variable
from tightrope.dashboards.panels import Json
from tightrope.dashboards.queries import INSTALLATION, OF_INSTALLATION

USUAL_LABELS = ("cluster", "namespace")
"""The labels that are kept in any case."""

ALL_INSTALLATIONS = 'namespace=~".*"'
"""The matcher in every selector of the shipped rules."""

LABEL_PATTERN = r"[a-zA-Z_][a-zA-Z0-9_]*(=[A-Za-z0-9_./:-]+)?"
"""A label to keep, or a label and the one value to select."""


def split_labels(given: Sequence[str]) -> Mapping[str, str]:
    """Labels by name, from texts of the `LABEL_PATTERN`; a label without a value has an empty one.

    >>> split_labels(["region", "cluster=eu"])
    {'region': '', 'cluster': 'eu'}
    """
    return {name: value for name, _, value in (text.partition("=") for text in given)}


def rules_with_labels(rules: str, labels: Mapping[str, str]) -> str:
    """The text of rules that keep these labels, and select the values that are given."""
    added = [name for name in labels if name not in USUAL_LABELS]
    chosen = ", ".join(f'{name}="{value}"' for name, value in labels.items() if value)
    link = "var-namespace={{ $labels.namespace }}"
    text = rules.replace(INSTALLATION, ", ".join((INSTALLATION, *added)))
    text = text.replace("namespace=%q", ", ".join(("namespace=%q", *(f"{name}=%q" for name in added))))
    looked_up = "$labels.cluster $labels.namespace"
    text = text.replace(looked_up, " ".join((looked_up, *(f"$labels.{name}" for name in added))))
    text = text.replace(link, "&".join((link, *(f"var-{name}={{{{ $labels.{name} }}}}" for name in added))))
    return text.replace(ALL_INSTALLATIONS, chosen) if chosen else text


def board_with_labels(board: Json, names: Sequence[str]) -> Json:
    """A dashboard that also keeps these labels, with a variable for each."""
    for name in names:
        if name not in USUAL_LABELS:
            (before,) = (one for one in board["templating"]["list"] if one["name"] == "namespace")
            equals = "=~" if before["multi"] else "="
            query = f'label_values(tightrope_requests_total{{namespace{equals}"$namespace"}}, {name})'
            made = variable(name, name.capitalize(), query, several=before["multi"])
            board = _with_label(board, name)
            board["templating"]["list"].insert(board["templating"]["list"].index(before) + 1, made)
    return board


def _with_label(value: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    """The value with the label beside the namespace, wherever a text, a list of tags or names of columns have that."""
    if isinstance(value, str):
        for equals in ("=", "=~"):
            matcher = f'namespace{equals}"$namespace"'
            value = value.replace(f"{matcher}", f'{matcher}, {name}{equals}"${name}"')
        field = "var-namespace=${__data.fields.Namespace}"
        value = value.replace(field, f"{field}&var-{name}=${{__data.fields.{name.capitalize()}}}")
        value = value.replace(INSTALLATION, f"{INSTALLATION}, {name}")
        return value.replace(OF_INSTALLATION, f"{OF_INSTALLATION} {{{{{name}}}}}")
    if isinstance(value, list):
        more = [f"{name}:${name}"] if "namespace:$namespace" in value else []
        return [*(_with_label(one, name) for one in value), *more]
    if isinstance(value, dict):
        more_columns = {name: name.capitalize()} if value.get("namespace") == "Namespace" else {}
        return {key: _with_label(one, name) for key, one in value.items()} | more_columns
    return value
