import json
from pathlib import Path

import pytest

from tightrope.offline.request_lines import joined, labels, read
from tightrope.offline.table import TableError
from tightrope.service.protocol.tensors import TensorSpec

SPEC = TensorSpec("x", "FP32", (-1, -1))


def line(data: list[list[float]], **parameters: object) -> str:
    """Return a request with these rows."""
    shape = [len(data), len(data[0])]
    return json.dumps(
        {"parameters": parameters, "inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data}]}
    )


def write(folder: Path, *lines: str) -> Path:
    """Write a file of requests."""
    path = folder / "rows.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_neighbours_of_equal_shapes_are_joined(tmp_path: Path) -> None:
    """Order is kept: rows of another width begin a new part; blank lines count as lines only."""
    path = write(tmp_path, line([[1], [2]], a=1), "", line([[3]]), line([[4, 5]]), line([[6]]))
    requests = read(path, [SPEC], [], allow_nan=False)
    assert [(each.line, each.rows, each.parameters) for each in requests][:2] == [(1, 2, {"a": 1}), (3, 1, {})]
    parts = joined([request.inputs for request in requests])
    assert [part["x"].tolist() for part in parts] == [[[1], [2], [3]], [[4, 5]], [[6]]]
    assert labels(path, requests) is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (line([[1]], label=-1), r"parameters\.label: is -1; it must be a class index"),
        (line([[1]]), r"parameters\.label: is missing; it must be a class index"),
        (line([[1], [2]], label=1), r"parameters\.label: is one class, and the request has 2 rows"),
    ],
)
def test_label_is_one_class_a_row(tmp_path: Path, second: str, message: str) -> None:
    """The error names the line and the parameter."""
    path = write(tmp_path, line([[1]], label=1), second)
    with pytest.raises(TableError, match=rf"rows\.jsonl: line 2: {message}"):
        labels(path, read(path, [SPEC], [], allow_nan=False))


@pytest.mark.parametrize("bad", ["{", '{"inputs": []}', line([[1]]).replace("FP32", "FP64")])
def test_request_that_does_not_fit_has_its_line(tmp_path: Path, bad: str) -> None:
    """The message is the one that the caller would get."""
    with pytest.raises(TableError, match=r"rows\.jsonl: line 2: "):
        read(write(tmp_path, line([[1]]), bad), [SPEC], [], allow_nan=False)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    """As for every other form."""
    with pytest.raises(TableError, match=r"rows\.jsonl: cannot be read: No such file"):
        read(tmp_path / "rows.jsonl", [SPEC], [], allow_nan=False)
