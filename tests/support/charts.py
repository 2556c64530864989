"""The chart, rendered by the real helm, and what was rendered as objects."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.helm_tools import program
from tests.support.servers import ROOT

CHART = ROOT / "helm"
SHAPES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
"""The values of every supported shape."""
EMBEDDED = [name for name in SHAPES if name.startswith("embedded")]
CLUSTER = [name for name in SHAPES if name.startswith("cluster")]
FULL = [name for name in SHAPES if "full" in name]

Manifest = dict[str, Any]


def helm(major: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm3 or helm4 to its end."""
    command = [program(major), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def values(shape: str) -> Path:
    """The file of a shape's values."""
    return CHART / "ci" / shape


@cache
def text(shape: str, *more: str, major: str = "helm3", chart: Path = CHART) -> str:
    """Everything that the chart makes of a shape, as text."""
    ended = helm(major, "template", "demo", chart, "-n", "prod", "--kube-version", "1.33.0", "-f", values(shape), *more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@cache
def rendered(shape: str, *more: str, major: str = "helm3", chart: Path = CHART) -> list[Manifest]:
    """The same as objects, for reading only."""
    return [found for found in YAML(typ="safe").load_all(text(shape, *more, major=major, chart=chart)) if found]


def refused(shape: str, *more: str) -> str:
    """What helm says of values that it does not take."""
    ended = helm("helm3", "template", "demo", CHART, "-f", values(shape), *more)
    assert ended.returncode != 0, more
    return ended.stderr


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind."""
    return [found for found in manifests if found["kind"] == kind]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The specification of every pod, with the component that it is of; that of `helm test` too."""
    for found in manifests:
        pod = found if found["kind"] == "Pod" else found.get("spec", {}).get("template")
        if pod:
            yield pod["metadata"]["labels"]["app.kubernetes.io/component"], pod


def configuration(manifests: list[Manifest]) -> str:
    """The file that is mounted for the program."""
    (found,) = [m for m in of_kind(manifests, "ConfigMap") if "tightrope.yaml" in m["data"]]
    return str(found["data"]["tightrope.yaml"])
