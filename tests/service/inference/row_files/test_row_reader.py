import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.row_files.row_file import RowFileError
from tightrope.service.inference.row_files.row_reader import read_rows
from tightrope.service.inference.row_files.row_schema import RowSchema
from tightrope.service.protocol.tensors import TensorSpec

SCHEMA = RowSchema("m", (TensorSpec("x", "FP32", (-1, 2)),))
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


def written(folder: Path, name: str) -> Path:
    """Write the three rows in the form that the suffix says; a name without one is a folder of arrays."""
    path = folder / name
    if path.suffix.lower() == ".npz":
        with path.open("wb") as file:
            np.savez(file, x=ROWS)
    elif path.suffix == ".parquet":
        parquet.write_table(pa.table({"x": ROWS.tolist()}), path)
    elif path.suffix == ".jsonl":
        tensors = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": row} for row in ROWS.tolist()]
        path.write_text("\n".join(json.dumps({"inputs": [tensor]}) for tensor in tensors))
    elif name == "folders":
        for number, row in enumerate(ROWS):
            (path / f"{number:03}").mkdir(parents=True)
            np.save(path / f"{number:03}" / "x.npy", row)
    elif path.suffix:
        path.write_text("\n".join(["a,b", *(f"{a},{b}" for a, b in ROWS.tolist())]))
    else:
        path.mkdir()
        np.save(path / "x.npy", ROWS)
    return path


@pytest.mark.parametrize(
    "name", ["rows.csv", "rows.txt", "rows.npz", "ROWS.NPZ", "rows.parquet", "rows.jsonl", "rows", "folders"]
)
def test_form_is_known_by_the_suffix(tmp_path: Path, name: str) -> None:
    """Every form of the same rows reads alike, as many of them as are asked for."""
    path = written(tmp_path, name)
    assert read_rows(path, SCHEMA).parts[0]["x"].tolist() == ROWS.tolist()
    assert read_rows(path, SCHEMA, most=2).parts[0]["x"].tolist() == ROWS[:2].tolist()
    with pytest.raises(RowFileError, match=f"{name}: has too few rows: 3, and at least 4 are needed"):
        read_rows(path, SCHEMA, at_least=4)


def test_model_without_rows_is_refused(tmp_path: Path) -> None:
    """No file of rows can feed it."""
    schema = RowSchema("m", (TensorSpec("image", "FP32", (3, 4)),))
    with pytest.raises(ConfigError, match=r"models\.m: takes image FP32\[3, 4\]; a file of rows needs inputs with"):
        read_rows(written(tmp_path, "rows.csv"), schema)
