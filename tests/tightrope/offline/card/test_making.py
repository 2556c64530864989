import json
from pathlib import Path

import msgspec

from tests.support.statement_files import StatementFiles
from tightrope.offline.card.making import MadeBy, read_making
from tightrope.offline.card.sources import CardSources
from tightrope.offline.statements.manifest import encode_document, provenance, read_manifest


def write(files: StatementFiles, name: str = "compressed.onnx") -> Path:
    """Write the manifest of a model beside the compressed one, whose path is returned."""
    artefact = files.bundle.with_name("compressed.onnx")
    manifest = read_manifest(artefact, ["bits=8", "per_channel=true"], ["onnx=1.19"], None, [artefact])
    if name != artefact.name:
        manifest = read_manifest(artefact.with_name(name), [], [], None, [])
    artefact.with_name("compressed.manifest.json").write_bytes(encode_document(provenance(manifest)))
    return artefact


def test_manifest_tells_recipe_tools_and_materials(files: StatementFiles, card_sources: CardSources) -> None:
    """As they were given to `tightrope manifest`."""
    made = read_making(write(files), card_sources.predicate.made)
    assert (made.recipe, made.tools["onnx"], made.missing) == ({"bits": 8, "per_channel": True}, "1.19", "")
    assert [*made.materials] == ["compressed.onnx"]
    assert len(made.digest) == 64


def test_manifest_of_other_files_tells_nothing(files: StatementFiles, card_sources: CardSources) -> None:
    """Nor does one that cannot be read, or that the statement does not name."""
    made = card_sources.predicate.made
    artefact = write(files, "baseline.onnx")
    assert read_making(artefact, made) == MadeBy(missing="the manifest is about other files")
    named = msgspec.structs.replace(made, manifest_sha256="ab" * 32)
    assert read_making(write(files), named).missing == "the manifest is not the one that the statement names"
    artefact.with_name("compressed.manifest.json").write_text(json.dumps({"subject": []}))
    assert read_making(artefact, made).missing == "the manifest cannot be read"
    artefact.with_name("compressed.manifest.json").unlink()
    assert read_making(artefact, made).missing.startswith("there is no manifest")
