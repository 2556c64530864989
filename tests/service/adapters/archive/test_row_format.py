import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.compared_rows import SPECS, compared
from tightrope.service.adapters.archive.row_format import MOST_COLUMNS, TEXT_BYTES, Header, Layout, Table, load, pack
from tightrope.service.protocol.tensors import TensorSpec


def test_inputs_become_columns_named_input_and_index() -> None:
    """Numbers and strings apart, each in the order of the inputs."""
    layout = Layout.of([*SPECS, TensorSpec("flag", "BOOL", (-1,)), TensorSpec("grid", "INT8", (-1, 2, 2))])
    numbers = ("x_0", "x_1", "x_2", "flag_0", "grid_0", "grid_1", "grid_2", "grid_3")
    assert (layout.names(text=False), layout.names(text=True)) == (numbers, ("word_0",))
    assert layout.left_out == 0


def test_an_image_is_kept_only_in_its_first_columns() -> None:
    """The disk is bounded whatever the model takes, and what is left out is counted."""
    layout = Layout.of([TensorSpec("image", "UINT8", (-1, 3, 224, 224)), *SPECS])
    assert len(layout.names(text=False)) == MOST_COLUMNS
    assert layout.left_out == 3 * 224 * 224 + 4 - MOST_COLUMNS
    pixels = np.arange(2 * 3 * 224 * 224, dtype=np.uint8).reshape(2, 3, 224, 224)
    assert layout.numbers([{"image": pixels}], 2).tolist() == pixels.reshape(2, -1)[:, :MOST_COLUMNS].tolist()


def test_an_input_of_free_length_has_no_columns() -> None:
    """Its columns could not be named: they are counted as one that is left out."""
    layout = Layout.of([TensorSpec("tokens", "INT64", (-1, -1)), *SPECS])
    assert (layout.names(text=False), layout.left_out) == (("x_0", "x_1", "x_2"), 1)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    """Inputs, outcomes, subgroups and artefacts, through one file."""
    batch = compared(10, 6, disagree=[0, 1, 0, 0, 0, 1], confidence_compressed=0.75, member=[True, False, True])
    header, records = pack(Layout.of(SPECS), batch)
    (tmp_path / "0.rows").write_bytes(header.line() + records.tobytes())
    table = Table.of(*load(tmp_path / "0.rows"))

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


def test_a_long_string_is_cut_between_letters_or_not_it_can_be_read() -> None:
    """Half a letter of UTF-8 at the end becomes a sign for it, not an error."""
    batch = compared(0, 1)
    batch.inputs[0]["word"][0, 0] = "é" * 40 + "x"  # type: ignore[index]
    odd = compared(0, 1)
    odd.inputs[0]["word"][0, 0] = "x" + "é" * 40  # type: ignore[index]
    layout = Layout.of(SPECS)
    assert Table.of(*pack(layout, batch)).inputs["word_0"].tolist() == ["é" * (TEXT_BYTES // 2)]
    assert Table.of(*pack(layout, odd)).inputs["word_0"].tolist() == ["x" + "é" * (TEXT_BYTES // 2 - 1) + "�"]


def test_half_a_row_at_the_end_is_no_row(tmp_path: Path) -> None:
    """A process that was killed while it wrote costs the row it wrote."""
    header, records = pack(Layout.of(SPECS), compared(0, 5))
    whole = header.line() + records.tobytes()
    (tmp_path / "0.rows").write_bytes(whole[:-1])
    assert Table.of(*load(tmp_path / "0.rows")).inputs["x_0"].tolist() == [0, 1, 2, 3]


def test_zeros_that_a_power_cut_leaves_are_no_rows(tmp_path: Path) -> None:
    """A file may have grown before its contents were on disk."""
    header, records = pack(Layout.of(SPECS), compared(0, 5))
    (tmp_path / "0.rows").write_bytes(header.line() + records.tobytes() + bytes(3 * header.dtype.itemsize))
    assert len(Table.of(*load(tmp_path / "0.rows"))) == 5


@pytest.mark.parametrize("end", [0, 1, 10, -1])
def test_a_torn_header_is_refused(tmp_path: Path, end: int) -> None:
    """Not even an empty file is one of no rows."""
    header, _ = pack(Layout.of(SPECS), compared(0, 1))
    (tmp_path / "0.rows").write_bytes(header.line()[:end])
    with pytest.raises(ValueError, match=r".*"):
        load(tmp_path / "0.rows")


@pytest.mark.parametrize("told", [{"format": "tightrope.rows/2"}, {"extra": 1}, []])
def test_a_header_of_another_kind_is_refused(told: object) -> None:
    """Another version's columns are not guessed."""
    line = json.loads(pack(Layout.of(SPECS), compared(0, 1))[0].line())
    changed = told if isinstance(told, list) else {**line, **told}  # type: ignore[dict-item]
    with pytest.raises(ValueError, match=r"not a file of compared rows|other fields"):
        Header.read(json.dumps(changed).encode() + b"\n")


def test_tables_of_different_columns_are_joined_by_name() -> None:
    """What one of them does not have is missing in its rows: after a new model, or new subgroups."""
    old = Table.of(*pack(Layout.of(SPECS[:1]), compared(0, 2, member=True)))
    new = Table.of(*pack(Layout.of(SPECS), compared(2, 2, scopes=("group=c",), member=True)))
    both = Table.join([old, new])
    assert both.inputs["x_0"].tolist() == [0, 1, 2, 3]
    assert both.inputs["word_0"].tolist() == ["", "", "word 2", "word 0"]
    assert both.member["group=a"].tolist() == [True, True, False, False]
    assert both.member["group=c"].tolist() == [False, False, True, True]


def test_no_tables_are_a_table_of_no_rows() -> None:
    """Before the first row there is nothing to read."""
    assert len(Table.join([])) == 0
