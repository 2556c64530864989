"""The probe reads its rows from any form of file that the commands on files of rows read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.graph_models import clip, of_seven
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.independence.given_rows import GivenRows, GivenRowsError
from tightrope.service.inference.loading.probe_file import given_rows
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.protocol.tensors import Tensor, TensorSpec

ROWS = np.random.default_rng(2).normal(size=(12, 7)).astype(np.float32)
SPECS = (TensorSpec("x", "FP32", (-1, 7)), TensorSpec("state", "FP32", (2, -1, 3)), TensorSpec("sr", "INT64", ()))


def as_csv(path: Path, rows: Tensor) -> None:
    """A column for each number of a row."""
    header = ",".join(f"x[{index}]" for index in range(rows.shape[1]))
    np.savetxt(path, rows, delimiter=",", header=header, comments="")


def as_folder(path: Path, rows: Tensor) -> None:
    """An array for each input."""
    path.mkdir()
    np.save(path / "x.npy", rows)


def as_row_folders(path: Path, rows: Tensor) -> None:
    """A folder for each row."""
    for number, row in enumerate(rows):
        (path / f"{number:03}").mkdir(parents=True)
        np.save(path / f"{number:03}" / "x.npy", row)


def as_parquet(path: Path, rows: Tensor) -> None:
    """A column of lists."""
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"x": rows.tolist()}), path)


def as_lines(path: Path, rows: Tensor) -> None:
    """A request for each row."""
    each = {"name": "x", "datatype": "FP32", "shape": [1, *rows.shape[1:]]}
    path.write_text("\n".join(json.dumps({"inputs": [{**each, "data": row.ravel().tolist()}]}) for row in rows))


WRITERS: dict[str, Callable[[Path, Tensor], None]] = {
    "rows.csv": as_csv,
    "rows.npz": lambda path, rows: np.savez(path, x=rows),
    "arrays": as_folder,
    "rows": as_row_folders,
    "rows.parquet": as_parquet,
    "rows.jsonl": as_lines,
}


def read(path: Path, *specs: TensorSpec) -> GivenRows:
    """The rows of a file for a model with these inputs."""
    return given_rows(path, "m", specs or SPECS[:1], allow_nan=False)


@pytest.mark.parametrize("name", WRITERS)
def test_every_form_shows_what_made_up_rows_cannot(tmp_path: Path, name: str) -> None:
    """No made-up row runs on these models; given rows prove that requests may share runs, and tell the scale."""
    WRITERS[name](tmp_path / name, ROWS)
    files = {"baseline": of_seven(tmp_path / "b.onnx"), "compressed": of_seven(tmp_path / "c.onnx", 0.05)}
    pair = pair_of(tmp_path, **files, probe={"rows": name, "seconds": 60})
    assert pair.batchability.is_open
    assert pair.batchability.findings[Role.BASELINE]["p"].scale is not None


@pytest.mark.parametrize("name", ["rows.npz", "arrays", "rows", "rows.jsonl"])
def test_requests_are_rows_of_a_file(tmp_path: Path, name: str) -> None:
    """Arrays have an axis of requests in front; lines are requests as callers send them. So it is for golden rows."""
    clips = ROWS.reshape(4, 3, 7)[..., :4]
    if name == "rows.jsonl":
        data = [
            {"name": "frames", "datatype": "FP32", "shape": [3, 4], "data": each.ravel().tolist()} for each in clips
        ]
        (tmp_path / name).write_text("\n".join(json.dumps({"inputs": [each]}) for each in data))
    else:
        WRITERS[name](tmp_path / name, clips)
        for file in (tmp_path / name).rglob("x.npy"):
            file.rename(file.with_name("frames.npy"))
    if name == "rows.npz":
        np.savez(tmp_path / name, frames=clips)
    spec = TensorSpec("frames", "FP32", (-1, 4))
    rows = read(tmp_path / name, spec).rows(RowLayout((spec,), {"frames": None}, is_request=True))
    assert np.array_equal(np.concatenate([row["frames"] for row in rows]), clips)
    files = {"baseline": clip(tmp_path / "b.onnx"), "compressed": clip(tmp_path / "c.onnx", 0.05)}
    pair = pair_of(tmp_path, **files, rows="request", decision={"output": "p"}, probe={"rows": name}, golden=name)
    assert pair.layout is not None
    assert pair.layout.is_request


def test_rows_are_cut_on_the_axes_of_a_layout(tmp_path: Path) -> None:
    """A state has them on axis 1, and a shared scalar one value; where the axes do not fit it has no rows."""
    state = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    np.savez(tmp_path / "rows.npz", x=ROWS[:4], state=state, sr=np.array(16000))
    given = read(tmp_path / "rows.npz", *SPECS)
    rows = given.rows(RowLayout(SPECS, {"x": 0, "state": 1, "sr": None}))
    assert len(rows) == 4
    assert {name: array.shape for name, array in rows[3].items()} == {"x": (1, 7), "state": (1, 2, 3), "sr": (1,)}
    assert np.array_equal(rows[3]["state"][0], state[:, 3])
    assert given.rows(RowLayout(SPECS, {"x": 0, "state": 0, "sr": None})) == ()
    assert given.rows(None) == ()


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"y": ROWS}, "array 'y': is no input; the inputs are x"),
        ({"x": ROWS[0]}, "array 'x': has shape [7], must be [rows, 7] (-1 is any length)"),
        ({"x": np.zeros((2, 7), np.int64)}, "array 'x': is int64, must be float32 (FP32)"),
        ({"x": np.full((2, 7), 1e300)}, "array 'x': row 0: has values that are not finite FP32 numbers"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, arrays: dict[str, Tensor], fault: str) -> None:
    """With the file and the array, and once in the check of a pair."""
    path = tmp_path / "rows.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    with pytest.raises(GivenRowsError) as caught:
        read(path).read(None)
    assert str(caught.value) == f"{path}: {fault}"
    files = {"baseline": of_seven(tmp_path / "b.onnx"), "compressed": of_seven(tmp_path / "c.onnx")}
    with pytest.raises(ConfigError) as refused:
        pair_of(tmp_path, **files, probe={"rows": "rows.npz"})
    assert refused.value.problems == [f"models.m.probe.rows: {path}: {fault.replace('7] (-1', '-1] (-1')}"]


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Before any model runs."""
    with pytest.raises(GivenRowsError, match=r"rows\.npz: cannot be read: No such file"):
        read(tmp_path / "rows.npz")


def test_other_contents_are_another_file(tmp_path: Path) -> None:
    """The names in a folder count, too."""
    as_folder(tmp_path / "a", ROWS)
    as_folder(tmp_path / "b", ROWS)
    assert read(tmp_path / "a").sha256 == read(tmp_path / "b").sha256
    np.save(tmp_path / "b" / "x.npy", ROWS[::-1])
    assert read(tmp_path / "a").sha256 != read(tmp_path / "b").sha256
    (tmp_path / "a" / "x.npy").rename(tmp_path / "a" / "y.npy")
    as_folder(tmp_path / "c", ROWS)
    assert read(tmp_path / "a").sha256 != read(tmp_path / "c").sha256
