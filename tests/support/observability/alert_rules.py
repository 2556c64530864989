"""The rules, their tests and the runbook, as they are shipped."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HOME = Path(__file__).parents[3] / "dashboards"
RULES = HOME / "rules"


def document(path: Path) -> Any:  # noqa: ANN401 - whatever YAML holds
    """A YAML file."""
    return YAML(typ="safe").load(path)


@cache
def rules(file: str) -> list[dict[str, Any]]:
    """The rules of a file, group by group."""
    return [rule for group in document(RULES / file)["groups"] for rule in group["rules"]]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules("alerts.yml")}


@cache
def expected() -> dict[str, list[list[dict[str, str]]]]:
    """By alert, for each of its tests, the labels of the alerts that must fire; none where none must."""
    found: dict[str, list[list[dict[str, str]]]] = {}
    for path in RULES.glob("*_test.yml"):
        for case in document(path)["tests"]:
            for asked in case["promql_expr_test"]:
                name = re.match(r'ALERTS{alertname="(\w+)", alertstate="firing"}$', asked["expr"])
                if name:
                    labels = [dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) for sample in asked["exp_samples"]]
                    found.setdefault(name[1], []).append(labels)
    return found
