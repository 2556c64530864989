"""Run by the Python of `.venv-helm`: says what is wrong with the custom resources in a YAML stream, a line each.

The models are generated from the definitions of KEDA and of Prometheus' operator. They pass over keys that they do not
know, so what comes out of them is compared with what went in.
"""

import sys
from collections.abc import Iterator
from typing import Any

import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from cloudcoil.models.prometheus_operator.v1 import PodMonitor, PrometheusRule, ServiceMonitor
from pydantic import ValidationError

MODELS = {model.__name__: model for model in (ScaledObject, PodMonitor, PrometheusRule, ServiceMonitor)}


def problems(manifest: dict[str, Any]) -> Iterator[str]:
    """What the models do not take, and what they do not know."""
    try:
        known = MODELS[manifest["kind"]].model_validate(manifest).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        yield from (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    else:
        yield from unknown(manifest, known, manifest["kind"])


def unknown(given: object, known: object, path: str) -> Iterator[str]:
    """Keys that were given and did not come back."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            yield from unknown(value, known[key], f"{path}.{key}") if key in known else [f"{path}.{key}: unknown"]
    elif isinstance(given, list) and isinstance(known, list):
        for number, (ours, theirs) in enumerate(zip(given, known, strict=True)):
            yield from unknown(ours, theirs, f"{path}.{number}")


if __name__ == "__main__":
    found = [one for one in yaml.safe_load_all(sys.stdin) if one and one["kind"] in MODELS]
    sys.stdout.writelines(f"{line}\n" for one in found for line in problems(one))
    sys.stdout.write(f"looked at {len(found)}\n")
