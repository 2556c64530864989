"""The shipped rules, their promtool tests and the runbook."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

HOME = Path(__file__).parents[3] / "dashboards"
RULES = HOME / "rules"


def document(path: Path) -> Any:  # noqa: ANN401 - any YAML
    """Read a YAML file."""
    return YAML(typ="safe").load(path)


@cache
def rules(file: str) -> list[dict[str, Any]]:
    """List the rules of a file."""
    return [rule for group in document(RULES / file)["groups"] for rule in group["rules"]]


@cache
def alerts() -> dict[str, dict[str, Any]]:
    """Map names to alerting rules."""
    return {rule["alert"]: rule for rule in rules("alerts.yml")}


def severities(name: str) -> list[str]:
    """The severities that an alert of the rules can have: one, or by what is at stake a page or a ticket."""
    severity = alerts()[name]["labels"]["severity"]
    return sorted({*re.findall(r"}}(\w+){{", severity)}) if "{{" in severity else [severity]


@cache
def expected() -> dict[str, list[list[dict[str, str]]]]:
    """For each alert, the expected labels in each of its tests; an empty list where it must be silent."""
    samples: dict[str, list[list[dict[str, str]]]] = {}
    for path in RULES.glob("*_test.yml"):
        for case in document(path)["tests"]:
            for check in case.get("promql_expr_test", ()):
                name = re.match(r'ALERTS{alertname="(\w+)", alertstate="firing"}$', check["expr"])
                if name:
                    labels = [dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"])) for sample in check["exp_samples"]]
                    samples.setdefault(name[1], []).append(labels)
    return samples
