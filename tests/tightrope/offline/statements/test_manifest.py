import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.support.onnx_models import classifier
from tightrope.offline.statements.manifest import (
    ManifestError,
    encode_document,
    provenance,
    read_manifest,
    write_document,
)
from tightrope.service.adapters.model_files import ModelFileError, file_digest, find_files


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model whose weights are in a file of their own."""
    path = classifier(tmp_path / "model.onnx", np.eye(4, 2, dtype=np.float32))
    loaded = onnx.load(path)
    onnx.save_model(loaded, path, save_as_external_data=True, location="Weights.bin", size_threshold=0)
    return path


def test_every_file_is_a_subject_by_name_and_digest(model: Path) -> None:
    """A shard that is exchanged for another keeps its digest, but not its name."""
    subjects = provenance(read_manifest(model, [], [], None, []))["subject"]
    weights = model.with_name("Weights.bin")
    assert subjects == [
        {"name": "Weights.bin", "digest": {"sha256": file_digest(weights)}},
        {"name": "model.onnx", "digest": {"sha256": file_digest(model)}},
    ]


def test_recipe_has_numbers_and_words(model: Path) -> None:
    """A value that is a number or true or false in JSON is one."""
    recipe = ["technique=int8", "bits=8", "per_channel=true", "sparsity=0.3", "note=a=b", "huge=1e999", "none=null"]
    document = provenance(read_manifest(model, recipe, ["torch=2.9"], None, []))["predicate"]
    assert document["buildDefinition"]["externalParameters"] == {
        "technique": "int8",
        "bits": 8,
        "per_channel": True,
        "sparsity": 0.3,
        "note": "a=b",
        "huge": "1e999",
        "none": "null",
    }
    assert document["runDetails"]["builder"]["version"]["torch"] == "2.9"


def test_baseline_and_data_are_dependencies(model: Path, tmp_path: Path) -> None:
    """By digest; the baseline's is that of all its files."""
    (tmp_path / "train.csv").write_text("a,b\n")
    document = provenance(read_manifest(model, [], [], model, [tmp_path / "train.csv"]))
    assert document["predicate"]["buildDefinition"]["resolvedDependencies"] == [
        {"name": "model.onnx", "digest": {"sha256": find_files(model).digest}},
        {"name": "train.csv", "digest": {"sha256": file_digest(tmp_path / "train.csv")}},
    ]


def test_equal_arguments_give_equal_bytes(model: Path) -> None:
    """The order of options does not matter, and no time stands in it."""
    one, two = (
        encode_document(provenance(read_manifest(model, recipe, [], None, [])))
        for recipe in (["a=1", "b=2"], ["b=2", "a=1"])
    )
    assert one == two
    assert json.loads(one)["predicateType"] == "https://slsa.dev/provenance/v1"


@pytest.mark.parametrize("text", ["technique", "=8", " =8"])
def test_option_that_is_no_pair_is_refused(model: Path, text: str) -> None:
    """The line names the option."""
    with pytest.raises(ManifestError) as error:
        read_manifest(model, [text], [], None, [])
    assert str(error.value) == f"--recipe: {text!r} should be KEY=VALUE"


def test_key_that_is_given_twice_is_refused(model: Path) -> None:
    """One of both would be lost."""
    with pytest.raises(ManifestError, match="--tool: 'torch' is given twice"):
        read_manifest(model, [], ["torch=1", "torch=2"], None, [])


def test_missing_file_is_refused(model: Path, tmp_path: Path) -> None:
    """The model, its data, or the folder of the manifest."""
    with pytest.raises(ModelFileError, match="absent: cannot be read: No such file"):
        read_manifest(model, [], [], None, [tmp_path / "absent"])
    with pytest.raises(ManifestError, match="cannot be written: No such file"):
        write_document(tmp_path / "absent" / "m.json", b"")


def test_document_is_written_whole(tmp_path: Path) -> None:
    """No draft is left."""
    write_document(tmp_path / "m.json", b"{}")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("m.json", b"{}")]
