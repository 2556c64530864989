import json
from pathlib import Path

import pytest

from tests.support.serving import row_models
from tests.support.serving.model_pairs import copier
from tests.support.serving.service_harness import pair_of
from tightrope.service.inference.row_files.request_lines import read_lines
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.row_schema import RowSchema, schema_of


@pytest.fixture
def schema(tmp_path: Path) -> RowSchema:
    """The schema of a pair of one input, whose rows may have any width."""
    path = str(copier(tmp_path / "m.onnx", "rows", "columns"))
    return schema_of(pair_of(tmp_path, baseline=path, compressed=path, decision={"scale": "logits"}))


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


def test_neighbours_of_equal_shapes_are_joined(tmp_path: Path, schema: RowSchema) -> None:
    """Order is kept: rows of another width begin a new part; blank lines count as lines only."""
    path = write(tmp_path, line([[1], [2]], a=1), "", line([[3]]), line([[4, 5]]), line([[6]]))
    rows = read_lines(path, schema)
    assert rows.positions == [1, 1, 3, 4, 5]
    assert rows.parameters[:3] == [{"a": 1}, {"a": 1}, {}]
    assert [part["input"].tolist() for part in rows.parts] == [[[1], [2], [3]], [[4, 5]], [[6]]]
    assert rows.labels is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (line([[1]], label=-1), r"parameters\.label: is -1; it must be a class index"),
        (line([[1]]), r"parameters\.label: is missing; it must be a class index"),
        (line([[1], [2]], label=1), r"parameters\.label: is one class, and the request has 2 rows"),
    ],
)
def test_label_is_one_class_a_row(tmp_path: Path, schema: RowSchema, second: str, message: str) -> None:
    """The error names the line and the parameter."""
    path = write(tmp_path, line([[1]], label=1), second)
    with pytest.raises(RowFileError, match=rf"rows\.jsonl: line 2: {message}"):
        read_lines(path, schema)


@pytest.mark.parametrize("bad", ["{", '{"inputs": []}', line([[1]]).replace("FP32", "FP64")])
def test_request_that_does_not_fit_has_its_line(tmp_path: Path, schema: RowSchema, bad: str) -> None:
    """The message is the one that the caller would get."""
    with pytest.raises(RowFileError, match=r"rows\.jsonl: line 2: "):
        read_lines(write(tmp_path, line([[1]]), bad), schema)


def test_missing_file_is_one_line(tmp_path: Path, schema: RowSchema) -> None:
    """As for every other form."""
    with pytest.raises(RowFileError, match=r"rows\.jsonl: cannot be read: No such file"):
        read_lines(tmp_path / "rows.jsonl", schema)


def test_lines_are_as_callers_send_them(tmp_path: Path) -> None:
    """With the rows of a state on axis 1 and a scalar; what is read has its rows first."""
    model = str(row_models.listening(tmp_path / "m.onnx"))
    pair = pair_of(tmp_path, baseline=model, compressed=model, decision={"output": "probabilities"})
    inputs = [
        {"name": "input", "datatype": "FP32", "shape": [3, 6], "data": [0.5] * 18},
        {"name": "state", "datatype": "FP32", "shape": [2, 3, 8], "data": [0.0] * 48},
        {"name": "sr", "datatype": "INT64", "shape": [], "data": [16000]},
    ]
    rows = read_lines(write(tmp_path, json.dumps({"inputs": inputs})), schema_of(pair))
    assert len(rows) == 3
    assert {name: tensor.shape for name, tensor in rows.parts[0].items()} == {
        "input": (3, 6),
        "state": (3, 2, 8),
        "sr": (3,),
    }


def test_first_rows_are_enough(tmp_path: Path, schema: RowSchema) -> None:
    """Lines behind them are not read, and a label that is not asked for may be anything."""
    path = write(tmp_path, line([[1]], label="x"), line([[2], [3]]), "{")
    rows = read_lines(path, schema, labelled=False, most=2)
    assert (rows.positions, rows.labels) == ([1, 2, 2], None)
    assert rows.parameters[0] == {}
