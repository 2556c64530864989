"""The digest of a model covers every file that it reads, and only files of its own folder are read."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, load_model, save_model

from tests.support.onnx_models import classifier, external_tensor
from tests.support.serving.model_pairs import weights
from tightrope.service.adapters.model_files import ModelFileError, find_files
from tightrope.service.adapters.onnxruntime import OnnxModel

SIDECAR = "weights.bin"


def with_sidecar(path: Path, *rows: tuple[float, float], name: str = SIDECAR) -> Path:
    """Write a classifier that keeps its weights in a file of that name beside it."""
    model = load_model(str(classifier(path, weights(*rows))))
    (path.parent / name).unlink(missing_ok=True)
    save_model(model, str(path), save_as_external_data=True, location=name, size_threshold=0)
    return path


def answer(path: Path) -> list[float]:
    """The answer of the model at a path to one row."""
    answers: list[float] = (
        OnnxModel(path).run({"input": np.ones((1, 1), np.float32)}, ["probabilities"])["probabilities"].tolist()
    )
    return answers


def test_digest_of_a_file_that_stands_alone_is_its_sha256(tmp_path: Path) -> None:
    """Digests taken before remain valid, also where the file mentions a location."""
    path = classifier(tmp_path / "c.onnx", weights((1, 2)))
    assert find_files(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()
    model = load_model(str(path))
    model.doc_string = "location"
    save_model(model, str(path))
    assert find_files(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_other_external_weights_are_another_model(tmp_path: Path) -> None:
    """The ONNX file has the same bytes; the digest and the answers differ."""
    path = with_sidecar(tmp_path / "m.onnx", (1, 2))
    before, digest, said = path.read_bytes(), OnnxModel(path).digest, answer(path)
    (tmp_path / SIDECAR).write_bytes(weights((2, 1)).astype(np.float32).tobytes())
    assert path.read_bytes() == before
    assert answer(path) != said
    assert OnnxModel(path).digest != digest


def test_digest_is_repeated_by_the_tools_of_a_shell(tmp_path: Path) -> None:
    """With the lines of `sha256sum`, sorted as bytes."""
    path = with_sidecar(tmp_path / "m.onnx", (1, 2))
    line = f"(sha256sum < {path.name}; sha256sum {SIDECAR}) | LC_ALL=C sort | sha256sum"
    ended = subprocess.run(line, shell=True, capture_output=True, text=True, check=True, cwd=tmp_path)  # noqa: S602
    assert find_files(path).digest == ended.stdout.split()[0]


def test_renamed_copy_is_the_same_model(tmp_path: Path) -> None:
    """The name of the ONNX file is not in the digest; those of the others are in its bytes."""
    path = with_sidecar(tmp_path / "m.onnx", (1, 2))
    digest = find_files(path).digest
    assert find_files(path.rename(tmp_path / "n.onnx")).digest == digest


def mounted(folder: Path, home: Path) -> Path:
    """Link every file through a link to their folder, as Kubernetes mounts a ConfigMap."""
    (folder / "..data").symlink_to(home.name)
    for name in ("m.onnx", SIDECAR):
        (folder / name).symlink_to(f"..data/{name}")
    return folder / "m.onnx"


def cached(folder: Path, home: Path) -> Path:
    """Link every file to a blob of another name, as a cache of models does."""
    snapshot = folder / "snapshot"
    snapshot.mkdir()
    for name in ("m.onnx", SIDECAR):
        blob = (home / name).rename(home / f"blob-{name}")
        (snapshot / name).symlink_to(blob)
    return snapshot / "m.onnx"


def linked(folder: Path, home: Path) -> Path:
    """Link the ONNX file alone."""
    (folder / "current.onnx").symlink_to(home / "m.onnx")
    return folder / "current.onnx"


@pytest.mark.parametrize("link", [mounted, cached, linked])
def test_model_is_read_through_links(tmp_path: Path, link: Callable[[Path, Path], Path]) -> None:
    """Digest and answers are those of the files that the links lead to."""
    home = tmp_path / "..2026"
    home.mkdir()
    path = with_sidecar(home / "m.onnx", (1, 2))
    digest, said = OnnxModel(path).digest, answer(path)
    path = link(tmp_path, home)
    assert OnnxModel(path).digest == digest
    assert answer(path) == said


@pytest.mark.parametrize("name", ["../weights.bin", "link.bin"])
def test_file_outside_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    """By its name or through a link; in one line."""
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 8)
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    path = naming(folder / "m.onnx", name)
    with pytest.raises(ModelFileError) as caught:
        OnnxModel(path)
    expected = f"its external data {name!r} must lie in its folder {folder}, but is {tmp_path / 'weights.bin'}"
    assert str(caught.value) == f"{path}: {expected}"


def naming(path: Path, name: str) -> Path:
    """Write a model whose tensor is in an external file of this name, which is not written."""
    model = ModelProto()
    model.graph.initializer.append(external_tensor(name))
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", ["gone.bin", "", "nul\0.bin", "x" * 300])
def test_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    """In one line that begins with a path."""
    with pytest.raises(ModelFileError) as caught:
        find_files(naming(tmp_path / "m.onnx", name))
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_file_that_changes_while_it_is_loaded_is_refused(tmp_path: Path) -> None:
    """A digest of other bytes than those that serve would be no evidence."""
    path = with_sidecar(tmp_path / "m.onnx", (1, 2))
    files = find_files(path)
    files.require_unchanged()
    state = (tmp_path / SIDECAR).stat()
    os.utime(tmp_path / SIDECAR, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(ModelFileError, match="changed while it was loaded"):
        files.require_unchanged()


def test_onnxruntimes_own_format_stands_alone(tmp_path: Path) -> None:
    """It is no protobuf message."""
    path = tmp_path / "m.ort"
    path.write_bytes(b"\0\0\0\0ORTMlocation\xff")
    assert find_files(path).external == []
