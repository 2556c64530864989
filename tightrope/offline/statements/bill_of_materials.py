"""A manifest as a CycloneDX 1.6 bill of materials of machine learning (ML-BOM).

Sources: CycloneDX 1.6 (`bom-1.6.schema.json`).
"""

from typing import Any

from tightrope.offline.statements.manifest import ModelManifest, NamedDigest

RECIPE_PREFIX, TOOL_PREFIX = "tightrope:recipe:", "tightrope:tool:"


def bill_of_materials(manifest: ModelManifest) -> dict[str, Any]:
    """The document. It has no serial number and no time, so that equal files give equal bytes."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _model(manifest)},
        "components": [*_files(manifest), *(_data(file, index) for index, file in enumerate(manifest.data))],
    }


def _model(manifest: ModelManifest) -> dict[str, Any]:
    recipe = [(f"{RECIPE_PREFIX}{key}", value) for key, value in manifest.recipe.items()]
    tools = [(f"{TOOL_PREFIX}{key}", value) for key, value in manifest.tools.items()]
    component = _component("machine-learning-model", NamedDigest(manifest.name, manifest.digest), "model")
    if properties := [{"name": name, "value": _text(value)} for name, value in (*recipe, *tools)]:
        component["properties"] = properties
    if manifest.baseline:
        ancestor = _component("machine-learning-model", manifest.baseline, "baseline")
        component["pedigree"] = {"ancestors": [ancestor]}
    if manifest.data:
        datasets = [{"ref": f"data-{index}"} for index in range(len(manifest.data))]
        component["modelCard"] = {"modelParameters": {"datasets": datasets}}
    return component


def _files(manifest: ModelManifest) -> list[dict[str, Any]]:
    return [_component("file", file, f"file-{index}") for index, file in enumerate(manifest.files)]


def _data(file: NamedDigest, index: int) -> dict[str, Any]:
    return _component("data", file, f"data-{index}") | {"data": [{"type": "dataset", "name": file.name}]}


def _component(kind: str, file: NamedDigest, reference: str) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": file.sha256}]
    return {"type": kind, "bom-ref": reference, "name": file.name, "hashes": hashes}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
