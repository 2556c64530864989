import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.compared_rows import SPECS, compared_batch, packed_rows
from tightrope.service.adapters.archive.row_format import (
    MAX_COLUMNS,
    TEXT_BYTES,
    ColumnLayout,
    FileHeader,
    RowTable,
    load_rows,
)
from tightrope.service.protocol.tensors import TensorSpec


def test_inputs_become_columns_named_input_and_index() -> None:
    """Numbers and strings are separate, each in the order of the inputs."""
    layout = ColumnLayout.from_specs(
        [*SPECS, TensorSpec("flag", "BOOL", (-1,)), TensorSpec("grid", "INT8", (-1, 2, 2))]
    )
    numbers = ("x_0", "x_1", "x_2", "flag_0", "grid_0", "grid_1", "grid_2", "grid_3")
    assert (layout.names(text=False), layout.names(text=True)) == (numbers, ("word_0",))
    assert layout.left_out == 0


def test_only_the_first_columns_of_an_image_are_kept() -> None:
    """The columns on disk are bounded, and the omitted ones are counted."""
    layout = ColumnLayout.from_specs([TensorSpec("image", "UINT8", (-1, 3, 224, 224)), *SPECS])
    assert len(layout.names(text=False)) == MAX_COLUMNS
    assert layout.left_out == 3 * 224 * 224 + 4 - MAX_COLUMNS
    pixels = np.arange(2 * 3 * 224 * 224, dtype=np.uint8).reshape(2, 3, 224, 224)
    assert layout.numbers([{"image": pixels}], 2).tolist() == pixels.reshape(2, -1)[:, :MAX_COLUMNS].tolist()


def test_an_input_of_free_length_has_no_columns() -> None:
    """Its columns have no fixed names; it counts as one omitted column."""
    layout = ColumnLayout.from_specs([TensorSpec("tokens", "INT64", (-1, -1)), *SPECS])
    assert (layout.names(text=False), layout.left_out) == (("x_0", "x_1", "x_2"), 1)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """Inputs, outcomes, subgroups and artefacts survive one file."""
    batch = compared_batch(10, 6, disagree=[0, 1, 0, 0, 0, 1], confidence_compressed=0.75, member=[True, False, True])
    header, records = packed_rows(ColumnLayout.from_specs(SPECS), batch)
    (tmp_path / "0.rows").write_bytes(header.line() + records.tobytes())
    table = RowTable.from_records(*load_rows(tmp_path / "0.rows"))

    assert {name: column.tolist() for name, column in table.inputs.items()} == {
        "x_0": [10, 11, 12, 13, 14, 15],
        "x_1": [3, 4, 5, 6, 0, 1],
        "x_2": [0, 1, 0, 1, 0, 1],
        "word_0": ["word 1", "word 2", "word 0", "word 1", "word 2", "word 0"],
    }
    assert table.outcomes["time"].tolist() == [11, 12, 13, 14, 15, 16]
    assert table.outcomes["disagree"].tolist() == [0, 1, 0, 0, 0, 1]
    assert table.outcomes["prediction_compressed"].tolist() == [1, 2, 0, 1, 2, 0]
    assert set(table.outcomes["confidence_compressed"]) == {0.75}
    assert {scope: column.all() for scope, column in table.member.items()} == {
        "group=a": True, "group=b": False, "half=left": True,
    }  # fmt: skip
    assert table.artefacts == ("b1", "c1")


def test_loss_of_a_kind_is_kept_as_it_is() -> None:
    """A row that does not speak has none."""
    batch = compared_batch(0, 3, disagree=[1, 0, 0], loss=[0.25, 0.0, np.nan])
    _, records = packed_rows(ColumnLayout.from_specs(SPECS), batch)
    assert records["disagree"].tolist() == pytest.approx([0.25, 0.0, np.nan], nan_ok=True)


def test_string_cut_inside_a_character_can_be_read() -> None:
    """An incomplete UTF-8 character at the end becomes a replacement character."""
    batch = compared_batch(0, 1)
    batch.inputs[0]["word"][0, 0] = "é" * 40 + "x"  # type: ignore[index]
    odd = compared_batch(0, 1)
    odd.inputs[0]["word"][0, 0] = "x" + "é" * 40  # type: ignore[index]
    layout = ColumnLayout.from_specs(SPECS)
    assert RowTable.from_records(*packed_rows(layout, batch)).inputs["word_0"].tolist() == ["é" * (TEXT_BYTES // 2)]
    assert RowTable.from_records(*packed_rows(layout, odd)).inputs["word_0"].tolist() == [
        "x" + "é" * (TEXT_BYTES // 2 - 1) + "�"
    ]


def test_incomplete_last_row_is_ignored(tmp_path: Path) -> None:
    """A process killed while writing loses the row it was writing."""
    header, records = packed_rows(ColumnLayout.from_specs(SPECS), compared_batch(0, 5))
    whole = header.line() + records.tobytes()
    (tmp_path / "0.rows").write_bytes(whole[:-1])
    assert RowTable.from_records(*load_rows(tmp_path / "0.rows")).inputs["x_0"].tolist() == [0, 1, 2, 3]


def test_zeros_left_by_a_power_cut_are_ignored(tmp_path: Path) -> None:
    """A file may grow before its contents reach the disk."""
    header, records = packed_rows(ColumnLayout.from_specs(SPECS), compared_batch(0, 5))
    (tmp_path / "0.rows").write_bytes(header.line() + records.tobytes() + bytes(3 * header.dtype.itemsize))
    assert len(RowTable.from_records(*load_rows(tmp_path / "0.rows"))) == 5


@pytest.mark.parametrize("end", [0, 1, 10, -1])
def test_a_torn_header_is_refused(tmp_path: Path, end: int) -> None:
    """An empty file is refused too."""
    header, _ = packed_rows(ColumnLayout.from_specs(SPECS), compared_batch(0, 1))
    (tmp_path / "0.rows").write_bytes(header.line()[:end])
    with pytest.raises(ValueError, match=r".*"):
        load_rows(tmp_path / "0.rows")


@pytest.mark.parametrize("told", [{"format": "tightrope.rows/3"}, {"extra": 1}, []])
def test_a_header_of_another_kind_is_refused(told: object) -> None:
    """Columns of another version are not guessed."""
    line = json.loads(packed_rows(ColumnLayout.from_specs(SPECS), compared_batch(0, 1))[0].line())
    changed = told if isinstance(told, list) else {**line, **told}  # type: ignore[dict-item]
    with pytest.raises(ValueError, match=r"not a file of compared rows|other fields"):
        FileHeader.read(json.dumps(changed).encode() + b"\n")


def test_tables_of_different_columns_are_joined_by_name() -> None:
    """Columns that a table lacks are missing values in its rows, as after a new model or new subgroups."""
    old = RowTable.from_records(*packed_rows(ColumnLayout.from_specs(SPECS[:1]), compared_batch(0, 2, member=True)))
    new = RowTable.from_records(
        *packed_rows(ColumnLayout.from_specs(SPECS), compared_batch(2, 2, scopes=("group=c",), member=True))
    )
    both = RowTable.concatenate([old, new])
    assert both.inputs["x_0"].tolist() == [0, 1, 2, 3]
    assert both.inputs["word_0"].tolist() == ["", "", "word 2", "word 0"]
    assert both.member["group=a"].tolist() == [True, True, False, False]
    assert both.member["group=c"].tolist() == [False, False, True, True]


def test_concatenation_of_no_tables_is_empty() -> None:
    """Before the first row the table is empty."""
    assert len(RowTable.concatenate([])) == 0
