"""Sequences of maps from a class to its number become matrices whose columns are those classes."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.support.onnx_models import classifier
from tests.support.serving.zip_map_models import ROWS, listed, zip_map
from tightrope.service.adapters.onnx_types.zip_maps import ZipMap, find_zip_maps
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.protocol.tensors import TensorSpec

NAME = "output_probability"


@pytest.mark.parametrize("labels", [(0, 1, 2), (7, -3, 10, -(2**63), 2**63 - 1), ("b", "é", "a"), ("10", "9", "1")])
def test_columns_are_the_classes_in_the_order_of_onnxruntime(
    tmp_path: Path, labels: tuple[int, ...] | tuple[str, ...]
) -> None:
    """It sorts each map by its keys; the order of the file does not count."""
    path = zip_map(tmp_path / "m.onnx", labels)
    maps = onnxruntime.InferenceSession(path).run([NAME], {"X": ROWS})[0]
    model = OnnxModel(Path(path))
    (spec,) = (spec for spec in model.outputs if spec.name == NAME)
    assert spec == TensorSpec(NAME, "FP32", (-1, len(labels)))
    assert spec.classes == tuple(map(str, maps[0])) == tuple(map(str, sorted(labels)))
    answer = model.run({"X": ROWS}, [NAME, "output_label"])
    assert answer[NAME].dtype == np.float32
    assert answer[NAME].tolist() == [[*row.values()] for row in maps]
    assert [spec.classes[index] for index in answer[NAME].argmax(axis=1)] == [*map(str, answer["output_label"])]


def test_labels_are_found_behind_identities(tmp_path: Path) -> None:
    """Converters leave such nodes."""
    path = Path(zip_map(tmp_path / "m.onnx", ("no", "yes"), hops=3))
    assert find_zip_maps(path, [NAME]) == {NAME: ZipMap(("no", "yes"))}
    assert find_zip_maps(path, ["output_label"]) == {}


def test_labels_may_be_packed(tmp_path: Path) -> None:
    """Writers of protobuf may pack a list of numbers; one that stands twice is one class."""
    path = Path(zip_map(tmp_path / "m.onnx", (1, 2, 300)))
    plain, packed = bytes([0x40, 1, 0x40, 2, 0x40, 0xAC, 2]), bytes([0x42, 5, 1, 2, 0xAC, 2, 1])
    content = path.read_bytes()
    assert content.count(plain) == 1
    path.write_bytes(content.replace(plain, packed))
    assert find_zip_maps(path, [NAME]) == {NAME: ZipMap((1, 2, 300))}


def test_file_that_cannot_be_read_has_no_labels(tmp_path: Path) -> None:
    """As one in onnxruntime's own form."""
    (tmp_path / "m.ort").write_bytes(b"ORTM" * 10)
    assert find_zip_maps(tmp_path / "m.ort", [NAME]) == {}
    assert find_zip_maps(tmp_path / "none.onnx", [NAME]) == {}


def test_other_classes_than_those_of_the_file_fail() -> None:
    """A column never holds the number of another class."""
    zipped = ZipMap((0, 1))
    assert zipped.to_matrix([{0: 0.25, 1: 0.75}]).tolist() == [[0.25, 0.75]]
    assert zipped.to_matrix([]).shape == (0, 2)
    for maps in ([{0: 0.5, 2: 0.5}], [{0: 1.0}], [{0: 0.5, 1: 0.5}, {0: 0.5}]):
        with pytest.raises(ValueError, match="other classes than 0, 1"):
            zipped.to_matrix(maps)


def test_run_with_other_classes_fails(tmp_path: Path) -> None:
    """The other model answers then."""
    model = OnnxModel(Path(zip_map(tmp_path / "m.onnx")))
    model._zip_maps = {NAME: ZipMap((3, 4, 5))}
    with pytest.raises(RunFailedError, match="other classes than 3, 4, 5"):
        model.run({"X": ROWS}, [NAME])


def test_other_sequences_are_not_offered(tmp_path: Path) -> None:
    """Their types are kept for a note; the other outputs are there."""
    model = OnnxModel(Path(listed(tmp_path / "l.onnx")))
    assert (model.outputs, model.not_offered) == ((TensorSpec("p", "FP32", (-1, 3)),), {"all": "seq(tensor(float))"})
    assert OnnxModel(classifier(tmp_path / "c.onnx", np.ones((1, 2), np.float32))).not_offered == {}
