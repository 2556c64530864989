"""Print the errors of the custom resources in a YAML stream on stdin, one a line; runs in `.venv-helm`.

The models are generated from the definitions of KEDA and of Prometheus' operator. They ignore unknown keys, so their
output is compared with their input.
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
    """Yield the errors of the models, and the keys that they do not know."""
    try:
        known = MODELS[manifest["kind"]].model_validate(manifest).model_dump(by_alias=True, exclude_unset=True)
    except ValidationError as error:
        yield from (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    else:
        yield from unknown(manifest, known, manifest["kind"])


def unknown(given: object, known: object, path: str) -> Iterator[str]:
    """Yield the keys of ``given`` that are missing in ``known``."""
    if isinstance(given, dict) and isinstance(known, dict):
        for key, value in given.items():
            yield from unknown(value, known[key], f"{path}.{key}") if key in known else [f"{path}.{key}: unknown"]
    elif isinstance(given, list) and isinstance(known, list):
        for number, (ours, theirs) in enumerate(zip(given, known, strict=True)):
            yield from unknown(ours, theirs, f"{path}.{number}")


if __name__ == "__main__":
    documents = yaml.load_all(sys.stdin, Loader=yaml.CSafeLoader)
    resources = [document for document in documents if document and document["kind"] in MODELS]
    sys.stdout.writelines(f"{line}\n" for resource in resources for line in problems(resource))
    sys.stdout.write(f"checked {len(resources)}\n")
