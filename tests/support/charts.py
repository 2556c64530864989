"""The chart rendered by helm, as text and as objects."""

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.support.configs import ROOT
from tests.support.helm_tools import program

CHART = ROOT / "helm"
SHAPES = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
"""Values files of every supported shape."""
EMBEDDED = [name for name in SHAPES if name.startswith("embedded")]
CLUSTER = [name for name in SHAPES if name.startswith("cluster")]
FULL = [name for name in SHAPES if "full" in name]

Manifest = dict[str, Any]


def helm(major: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm3 or helm4 until it ends."""
    command = [program(major), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def values(shape: str) -> Path:
    """Return the path of a shape's values."""
    return CHART / "ci" / shape


@cache
def text(shape: str, *more: str, major: str = "helm3", chart: Path = CHART) -> str:
    """Return the rendered chart of a shape as text."""
    ended = helm(major, "template", "demo", chart, "-n", "prod", "--kube-version", "1.33.0", "-f", values(shape), *more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@cache
def rendered(shape: str, *more: str, major: str = "helm3", chart: Path = CHART) -> list[Manifest]:
    """Return the rendered chart of a shape as objects, which must not be changed."""
    return [
        manifest for manifest in YAML(typ="safe").load_all(text(shape, *more, major=major, chart=chart)) if manifest
    ]


def refused(shape: str, *more: str) -> str:
    """Return helm's error for values that it refuses."""
    ended = helm("helm3", "template", "demo", CHART, "-f", values(shape), *more)
    assert ended.returncode != 0, more
    return ended.stderr


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Return the manifests of one kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Yield the component and specification of every pod, including that of `helm test`."""
    for manifest in manifests:
        pod = manifest if manifest["kind"] == "Pod" else manifest.get("spec", {}).get("template")
        if pod:
            yield pod["metadata"]["labels"]["app.kubernetes.io/component"], pod


def configuration(manifests: list[Manifest]) -> str:
    """Return the mounted configuration file."""
    (manifest,) = [m for m in of_kind(manifests, "ConfigMap") if "tightrope.yaml" in m["data"]]
    return str(manifest["data"]["tightrope.yaml"])
