import json
from pathlib import Path

import pytest

from tests.support.serving import row_models
from tests.support.serving.model_pairs import copier
from tests.support.serving.service_harness import pair_of
from tightrope.offline.request_lines import joined, labels, read
from tightrope.offline.table import TableError
from tightrope.service.inference.model_pair import ModelPair


@pytest.fixture
def pair(tmp_path: Path) -> ModelPair:
    """A pair of one input, whose rows may have any width."""
    path = str(copier(tmp_path / "m.onnx", "rows", "columns"))
    return pair_of(tmp_path, baseline=path, compressed=path, decision={"scale": "logits"})


def line(data: list[list[float]], **parameters: object) -> str:
    """Return a request with these rows."""
    shape = [len(data), len(data[0])]
    return json.dumps(
        {"parameters": parameters, "inputs": [{"name": "input", "datatype": "FP32", "shape": shape, "data": data}]}
    )


def write(folder: Path, *lines: str) -> Path:
    """Write a file of requests."""
    path = folder / "rows.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_neighbours_of_equal_shapes_are_joined(tmp_path: Path, pair: ModelPair) -> None:
    """Order is kept: rows of another width begin a new part; blank lines count as lines only."""
    path = write(tmp_path, line([[1], [2]], a=1), "", line([[3]]), line([[4, 5]]), line([[6]]))
    requests = read(path, pair)
    assert [(each.line, each.rows, each.parameters) for each in requests][:2] == [(1, 2, {"a": 1}), (3, 1, {})]
    parts = joined([request.inputs for request in requests])
    assert [part["input"].tolist() for part in parts] == [[[1], [2], [3]], [[4, 5]], [[6]]]
    assert labels(path, requests) is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (line([[1]], label=-1), r"parameters\.label: is -1; it must be a class index"),
        (line([[1]]), r"parameters\.label: is missing; it must be a class index"),
        (line([[1], [2]], label=1), r"parameters\.label: is one class, and the request has 2 rows"),
    ],
)
def test_label_is_one_class_a_row(tmp_path: Path, pair: ModelPair, second: str, message: str) -> None:
    """The error names the line and the parameter."""
    path = write(tmp_path, line([[1]], label=1), second)
    with pytest.raises(TableError, match=rf"rows\.jsonl: line 2: {message}"):
        labels(path, read(path, pair))


@pytest.mark.parametrize("bad", ["{", '{"inputs": []}', line([[1]]).replace("FP32", "FP64")])
def test_request_that_does_not_fit_has_its_line(tmp_path: Path, pair: ModelPair, bad: str) -> None:
    """The message is the one that the caller would get."""
    with pytest.raises(TableError, match=r"rows\.jsonl: line 2: "):
        read(write(tmp_path, line([[1]]), bad), pair)


def test_missing_file_is_one_line(tmp_path: Path, pair: ModelPair) -> None:
    """As for every other form."""
    with pytest.raises(TableError, match=r"rows\.jsonl: cannot be read: No such file"):
        read(tmp_path / "rows.jsonl", pair)


def test_lines_are_as_callers_send_them(tmp_path: Path) -> None:
    """With the rows of a state on axis 1 and a scalar; what is read has its rows first."""
    model = str(row_models.listening(tmp_path / "m.onnx"))
    pair = pair_of(tmp_path, baseline=model, compressed=model, decision={"output": "probabilities"})
    inputs = [
        {"name": "input", "datatype": "FP32", "shape": [3, 6], "data": [0.5] * 18},
        {"name": "state", "datatype": "FP32", "shape": [2, 3, 8], "data": [0.0] * 48},
        {"name": "sr", "datatype": "INT64", "shape": [], "data": [16000]},
    ]
    (request,) = read(write(tmp_path, json.dumps({"inputs": inputs})), pair)
    assert request.rows == 3
    assert {name: tensor.shape for name, tensor in request.inputs.items()} == {
        "input": (3, 6),
        "state": (3, 2, 8),
        "sr": (3,),
    }
