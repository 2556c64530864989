"""The columns that are searched, and the lattice of the golden rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.model_pairs import copier
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.service.config.columns import ColumnSection
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.input_columns import MAX_INPUT_COLUMNS, build_columns, with_reference
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import RowFile
from tightrope.service.protocol.tensors import TensorSpec

MATRIX, VECTOR = TensorSpec("x", "FP32", (-1, 2)), TensorSpec("y", "INT64", (-1,))


def built(*inputs: TensorSpec, **sections: ColumnSection) -> tuple[list[InputColumn], list[str]]:
    """The columns of these inputs, and the keys with a mistake; keys of sections are written c0, or x_1 for x:1."""
    keys = {int(key[1:]) if key[0] == "c" else key.replace("_", ":"): value for key, value in sections.items()}
    mistakes: list[str] = []
    columns = build_columns(keys, inputs, lambda key, _: mistakes.append(key))
    return list(columns), mistakes


def test_columns_without_words_are_numbered() -> None:
    """With the input's name where there are several."""
    assert [each.name for each in built(MATRIX)[0]] == ["column 0", "column 1"]
    assert [each.name for each in built(MATRIX, VECTOR)[0]] == ["x, column 0", "x, column 1", "y, column 0"]


def test_columns_get_their_words() -> None:
    """A code is the number of the record, which has FP32."""
    (first, second), mistakes = built(MATRIX, c1=ColumnSection(title="ratio", codes={0.1: "low"}, searched=False))
    assert not mistakes
    assert not first.is_titled
    assert second.words(float(np.float32(0.1)), float(np.float32(0.1))) == "ratio: low"
    assert second.is_titled
    assert not second.searched


def test_column_that_does_not_exist_is_a_mistake() -> None:
    """An input has to be named where there are several, and has to hold numbers."""
    words = ColumnSection(title="age")
    assert built(MATRIX, c2=words)[1] == ["columns.2"]
    assert built(MATRIX, VECTOR, c0=words)[1] == ["columns.0"]
    assert built(MATRIX, VECTOR, x_1=words)[1] == []
    assert built(TensorSpec("x", "BYTES", (-1, 2)), c0=words)[1] == ["columns.0"]


def test_wide_inputs_are_searched_in_titled_columns_only() -> None:
    """The columns of an image are no groups; texts and tensors of more sides have no columns."""
    wide = TensorSpec("x", "FP32", (-1, MAX_INPUT_COLUMNS + 1))
    assert built(wide)[0] == []
    assert [each.index for each in built(wide, c7=ColumnSection(title="age"))[0]] == [7]
    assert built(TensorSpec("x", "FP32", (-1, 2, 2)))[0] == []
    assert built(TensorSpec("x", "FP32", (-1, -1)))[0] == []


def pair(folder: Path, **keys: object) -> ModelPair:
    """A pair of a model that gives its two inputs back."""
    path = str(copier(folder / "m.onnx", "rows", 2))
    decision = {"output": "output", "scale": "logits"}
    return pair_of(folder, baseline=path, compressed=path, decision=decision, **keys)


def test_mistake_names_its_key(tmp_path: Path) -> None:
    """With the inputs there are."""
    with pytest.raises(ConfigError, match=r"models\.m\.columns\.5: there is no such column of numbers; the inputs are"):
        pair(tmp_path, columns={5: {"title": "age"}})


def test_plan_has_the_search_at_the_limit_of_a_subgroup(tmp_path: Path) -> None:
    """Twice the limit of the model unless it is written; a model that is not searched has no such plan."""
    search = pair(tmp_path, limits={"disagreement": 0.03}).plan.search
    assert search is not None
    assert (search.limit, len(search.columns)) == (0.06, 2)
    written = pair(tmp_path, subgroup_limits={"disagreement": 0.2}).plan.search
    assert written is not None
    assert written.limit == 0.2
    assert pair(tmp_path, hunter="off").plan.search is None
    assert pair(tmp_path, limits={"disagreement": None}).plan.search is None
    assert pair(tmp_path, lanes=2, independence="request").plan.search is None


def test_words_and_search_are_no_part_of_the_plans_digest(tmp_path: Path) -> None:
    """Evidence of the declared subgroups is not counted anew for them."""
    plain = pair(tmp_path).plan.digest
    assert pair(tmp_path, columns={0: {"title": "age"}}, hunter="off").plan.digest == plain


def test_lattice_of_golden_rows_is_in_the_plan(tmp_path: Path) -> None:
    """It is that of the input columns alone, and ends with the first compared rows."""
    loaded = pair(tmp_path)
    codes = np.random.default_rng(0).integers(0, 4, (500, 2)).astype(np.float32)
    rows = RowFile(Path("golden.npz"), [{"input": codes}], None, [*range(500)])
    rows = replace(rows, parts=[{loaded.inputs[0].name: codes}])
    search = with_reference(loaded.plan, loaded.subgroups, rows).search
    assert search is not None
    assert search.reference is not None
    assert np.bincount(search.reference.depth).tolist() == [0, 8, 16]
    assert not search.reference.is_complete
    off = replace(loaded.plan, search=None)
    assert with_reference(off, loaded.subgroups, rows) is off
