import json
from pathlib import Path

import cyclonedx.schema
import numpy as np
import pytest
from jsonschema import Draft7Validator

from tests.support.onnx_models import classifier
from tightrope.offline.statements.bill_of_materials import bill_of_materials
from tightrope.offline.statements.manifest import encode_document, read_manifest
from tightrope.service.adapters.model_files import file_digest

SCHEMA = Path(cyclonedx.schema.__file__).parent / "_res" / "bom-1.6.SNAPSHOT.schema.json"


def mistakes(document: object) -> list[str]:
    """The mistakes of a document by CycloneDX's own schema; what it imports from other files is not followed."""
    schema = json.loads(SCHEMA.read_text())
    text = json.dumps(schema)
    for name in ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json#/definitions/signature"):
        text = text.replace(f'{{"$ref": "{name}"}}', "{}")
    return [error.message for error in Draft7Validator(json.loads(text)).iter_errors(document)]


@pytest.mark.parametrize("is_full", [False, True])
def test_document_is_valid(tmp_path: Path, is_full: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """With and without what may be absent."""
    model = classifier(tmp_path / "model.onnx", np.eye(4, 2, dtype=np.float32))
    (tmp_path / "train.csv").write_text("a,b\n")
    given = (["per_channel=true"], ["torch=2.9"], model, [tmp_path / "train.csv"]) if is_full else ([], [], None, [])
    document = json.loads(encode_document(bill_of_materials(read_manifest(model, *given))))
    assert mistakes(document) == []
    component = document["metadata"]["component"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": file_digest(model)}]
    assert ("pedigree" in component, "modelCard" in component) == (is_full, is_full)


def test_mistake_is_found() -> None:
    """The schema is read, and refuses another type of a component."""
    component = {"type": "miracle", "name": "m"}
    assert mistakes({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}) != []
