"""The input of a row, as people see it: named columns, the unusual first; a text; or a picture."""

from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import numpy as np
from msgspec import json
from numpy.typing import NDArray

from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.records import Tensors

MOST_COLUMNS = 128
"""Values of a row that are shown; of more none is read."""

MOST_TEXT_BYTES = 4_096
"""Bytes of a text that are shown."""

MOST_PIXELS = 1 << 20
"""Pixels of the largest picture."""

RECENT_ROWS = 512
"""Rows that tell which values are usual."""

PICTURE_DIMENSIONS = (3, 4)
"""Dimensions of an input that is a picture for each row: with or without an axis of channels."""

CHANNELS = (1, 3)


class ShownValue(TypedDict):
    """A value of a row, with the title of its column."""

    title: str
    value: str


class Picture(TypedDict):
    """A picture: ``pixels`` is base64 of ``width`` x ``height`` x ``channels`` bytes, row by row, from 0 to 255."""

    title: str
    width: int
    height: int
    channels: int
    pixels: str


class RowDocument(TypedDict):
    """The input of a row, for people. ``left_out`` counts values that are not shown."""

    columns: list[ShownValue]
    texts: list[ShownValue]
    pictures: list[Picture]
    left_out: NotRequired[int]


class RowPresenter:
    """Makes documents of the rows of one model; ``columns`` has the words for columns of numbers."""

    def __init__(self, columns: Sequence[InputColumn]) -> None:
        self._columns = {(column.input, column.index): column for column in columns}
        self._recent: dict[str, deque[NDArray[np.float64]]] = {}

    def document(self, inputs: Tensors, row: int) -> bytes:
        """One row of a request's inputs, as the JSON of a `RowDocument`."""
        document: RowDocument = {"columns": [], "texts": [], "pictures": []}
        ranked: list[tuple[float, ShownValue]] = []
        left_out = 0
        for name, tensor in inputs.items():
            value = tensor[row]
            title = name if len(inputs) > 1 else "input"
            if tensor.dtype.kind in "OSU":
                texts = [_text(each) for each in np.asarray(value).reshape(-1)[:MOST_COLUMNS]]
                document["texts"] += [{"title": title, "value": text} for text in texts]
            elif (picture := _picture(title, value)) is not None:
                document["pictures"].append(picture)
            else:
                flat = np.asarray(value, dtype=np.float64).reshape(-1)
                left_out += max(len(flat) - MOST_COLUMNS, 0)
                ranked += self._ranked(name, flat[:MOST_COLUMNS], alone=len(inputs) == 1)
        document["columns"] = [column for _, column in sorted(ranked, key=lambda item: item[0])][:MOST_COLUMNS]
        if left_out:
            document["left_out"] = left_out
        return json.encode(document)

    def _ranked(self, name: str, values: NDArray[np.float64], *, alone: bool) -> list[tuple[float, ShownValue]]:
        """The columns of one input, each with the share of recent rows whose value is as unusual."""
        recent = self._recent.setdefault(name, deque(maxlen=RECENT_ROWS))
        recent.append(values)
        alike = np.array([row for row in recent if row.shape == values.shape])
        ranked = []
        for index, value in enumerate(values.tolist()):
            column = self._columns.get((name, index))
            title = column.name if column else f"column {index}" if alone else f"{name}, column {index}"
            codes = column.codes if column else {}
            ranked.append((_share(alike[:, index], value, codes), ShownValue(title=title, value=_number(value, codes))))
        return ranked


def _share(seen: NDArray[np.float64], value: float, codes: Mapping[float, str]) -> float:
    """The share of values that are equal, of a column with codes; of others those as far from the middle."""
    if codes or np.isnan(value):
        return float(np.mean((seen == value) | (np.isnan(seen) & np.isnan(value))))
    middle = np.nanmedian(seen)
    return float(np.mean(np.abs(seen - middle) >= abs(value - middle)))


def _number(value: float, codes: Mapping[float, str]) -> str:
    return codes.get(value, "not known" if np.isnan(value) else f"{value:.6g}")


def _text(value: object) -> str:
    content = value if isinstance(value, bytes) else str(value).encode(errors="replace")
    shown = content[:MOST_TEXT_BYTES].decode(errors="replace")
    return shown if len(content) <= MOST_TEXT_BYTES else f"{shown} …"


def _picture(title: str, value: NDArray[np.generic]) -> Picture | None:
    """The picture in one row of an input, its values stretched to 0 … 255; None where its shape is not a picture's."""
    shape = value.shape
    if value.ndim + 1 not in PICTURE_DIMENSIONS or min(shape) == 0:
        return None
    if value.ndim + 1 == max(PICTURE_DIMENSIONS):
        if shape[0] in CHANNELS:
            value = np.moveaxis(value, 0, -1)
        elif shape[-1] not in CHANNELS:
            return None
    height, width = value.shape[:2]
    if height * width > MOST_PIXELS:
        return None
    numbers = np.nan_to_num(np.asarray(value, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    pixels = np.round((numbers - low) * (255.0 / (high - low) if high > low else 0.0)).astype(np.uint8)
    channels = pixels.size // (height * width)
    return {
        "title": title,
        "width": width,
        "height": height,
        "channels": channels,
        "pixels": b64encode(pixels.tobytes()).decode(),
    }
