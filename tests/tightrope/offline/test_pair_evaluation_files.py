import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.token_models import token_settings
from tightrope.offline.calibrate import calibrate
from tightrope.offline.limits import Limits, limits
from tightrope.service.inference.row_files.row_file import RowFileError

IDS = np.random.default_rng(0).integers(0, 10, (60, 4))
LANGUAGES = np.array(["en", "de", "de"] * 20)


def request(ids: np.ndarray, language: str, label: int | None = None) -> str:
    """Return a request of one row, as callers send it."""
    parameters = {"language": language} | ({} if label is None else {"label": label})
    inputs = [
        {"name": "ids", "datatype": "INT64", "shape": [1, len(ids)], "data": ids.tolist()},
        {"name": "weight", "datatype": "FP32", "shape": [1, 1], "data": [1.5]},
    ]
    return json.dumps({"parameters": parameters, "inputs": inputs})


def evaluated(folder: Path, data: Path, changed: float = 1.0) -> Limits:
    """Evaluate the pair of tokens on a file."""
    return limits(token_settings(folder, changed), data, None, 10.0)


def test_every_form_gives_the_same_numbers(tmp_path: Path) -> None:
    """A table, an NPZ file, a folder of arrays and lines of requests of the same rows; subgroups by parameter."""
    arrays = {"ids": IDS, "weight": np.full((60, 1), 1.5, np.float32), "parameter:language": LANGUAGES}
    np.savez(tmp_path / "rows.npz", **arrays)
    folder = tmp_path / "rows"
    folder.mkdir()
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    lines = [request(ids, language) for ids, language in zip(IDS, LANGUAGES, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    header = ",".join([*(f"ids[{i}]" for i in range(4)), "weight", "tag_language"])
    table = [f"{','.join(map(str, ids))},1.5,{language}" for ids, language in zip(IDS, LANGUAGES, strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join([header, *table]))
    forms = ("rows.csv", "rows.npz", "rows", "rows.jsonl")
    found = [evaluated(tmp_path, tmp_path / name).monitors for name in forms]
    assert all(monitors == found[0] for monitors in found)
    cells = {cell.scope: cell.rows for cell in found[0][0].cells}
    assert (cells["model"], cells["language=en"], cells["language=de"]) == (60, 20, 40)
    assert found[0][0].cells[0].seen


def test_ragged_requests_run_apart(tmp_path: Path) -> None:
    """Rows of other lengths share no run, and every row has its place in the order."""
    lines = [request(np.full(1 + i % 3, i % 10), "en", label=int(i % 10 < 5)) for i in range(30)]
    data = tmp_path / "rows.jsonl"
    data.write_text("\n".join(lines))
    result = calibrate(token_settings(tmp_path), data, None, 0.9, 0.5)
    whole = max(result.baseline.curve, key=lambda point: point.accepted)
    assert (result.rows, whole.accepted, whole.wrong) == (30, 30, 0), "each row meets its own label"


@pytest.mark.parametrize("name", ["rows.jsonl", "rows"])
def test_row_that_a_model_refuses_has_its_place(tmp_path: Path, name: str) -> None:
    """A token beyond the vocabulary: the line of the request, the row of the arrays."""
    ids = np.array([[1, 2], [3, 99]])
    (tmp_path / "rows.jsonl").write_text("".join(request(row, "en") + "\n" for row in ids))
    (tmp_path / "rows").mkdir()
    np.save(tmp_path / "rows" / "ids.npy", ids)
    np.save(tmp_path / "rows" / "weight.npy", np.ones((2, 1)))
    place = "rows: row 1" if name == "rows" else "rows.jsonl: line 2"
    with pytest.raises(RowFileError, match=rf"{place}: the baseline model could not answer"):
        evaluated(tmp_path, tmp_path / name)


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    """Every form has the same least."""
    (tmp_path / "rows.jsonl").write_text(request(IDS[0], "en"))
    with pytest.raises(RowFileError, match=r"rows\.jsonl: has too few rows: 1, and at least 2 are needed"):
        evaluated(tmp_path, tmp_path / "rows.jsonl")
