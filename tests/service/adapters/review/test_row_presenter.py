"""The input of a row for people."""

from base64 import b64decode
from typing import Any

import numpy as np
from msgspec import json

from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.review.row_presenter import (
    MOST_COLUMNS,
    MOST_TEXT_BYTES,
    RowDocument,
    RowPresenter,
)

RESIDENCE = InputColumn("x", 1, "residence", {17.0: "group quarters"}, is_titled=True)


def shown(presenter: RowPresenter, inputs: Tensors, row: int = 0) -> dict[str, Any]:
    """Return the document of a row."""
    document = presenter.document(inputs, row)
    json.decode(document, type=RowDocument)
    found: dict[str, Any] = json.decode(document)
    return found


def test_columns_have_their_titles_and_codes() -> None:
    """A column without words has its number, and a missing value says so."""
    inputs = {"x": np.array([[1.5, 17.0, np.nan], [2.0, 3.0, 1.0]])}
    found = shown(RowPresenter([RESIDENCE]), inputs)["columns"]
    assert {column["title"]: column["value"] for column in found} == {
        "column 0": "1.5",
        "residence": "group quarters",
        "column 2": "not known",
    }


def test_unusual_values_come_first() -> None:
    """A value far from the middle of the rows before comes before one that most have."""
    presenter = RowPresenter([])
    for number in range(50):
        presenter.document({"x": np.array([[5.0, number % 3]])}, 0)
    assert [column["title"] for column in shown(presenter, {"x": np.array([[99.0, 1.0]])})["columns"]] == [
        "column 0",
        "column 1",
    ]
    assert [column["title"] for column in shown(presenter, {"x": np.array([[5.0, 9.0]])})["columns"]] == [
        "column 1",
        "column 0",
    ]


def test_long_rows_and_texts_are_cut_and_said_so() -> None:
    """Values that are left out are counted, and a longer text ends with a mark."""
    inputs = {"word": np.array([[b"a" * (MOST_TEXT_BYTES + 1)]], dtype=object), "x": np.zeros((1, MOST_COLUMNS + 7))}
    document = shown(RowPresenter([]), inputs)
    assert document["left_out"] == 7
    assert len(document["columns"]) == MOST_COLUMNS
    assert document["texts"][0]["value"].endswith("a …")


def test_pictures_of_both_layouts_are_equal() -> None:
    """Channels first or last: the same bytes, stretched to the whole range."""
    rng = np.random.default_rng(7)
    first = rng.normal(size=(1, 3, 4, 5))
    one, other = (shown(RowPresenter([]), {"x": each})["pictures"] for each in (first, np.moveaxis(first, 1, -1)))
    assert one == other
    assert (one[0]["width"], one[0]["height"], one[0]["channels"]) == (5, 4, 3)
    pixels = np.frombuffer(b64decode(one[0]["pixels"]), dtype=np.uint8)
    assert (pixels.size, pixels.min(), pixels.max()) == (60, 0, 255)


def test_even_picture_has_no_division_by_zero() -> None:
    """All of it is black."""
    picture = shown(RowPresenter([]), {"x": np.full((1, 2, 2), 3.0)})["pictures"][0]
    assert b64decode(picture["pixels"]) == bytes(4)
