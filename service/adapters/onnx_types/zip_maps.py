"""Outputs that are sequences of maps from a class to its number, shown as matrices of a column a class.

The converters of scikit-learn and LightGBM end a classifier so, by ONNX's operator ZipMap. Its labels are read from the
file, so that the classes are known where no made-up row runs. onnxruntime sorts each map by its keys, and so are the
columns.

Sources: ONNX, `onnx.proto`, and `Operators-ml.md`, ZipMap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.service.adapters.graph_work import (
    GRAPH_NODE,
    MODEL_GRAPH,
    NODE_ATTRIBUTE,
    NODE_INPUT,
    NODE_KIND,
    NODE_OUTPUT,
)
from tightrope.service.adapters.protobuf_fields import read_fields, read_varints

ZIP_MAP_TYPES = frozenset({"seq(map(int64,tensor(float)))", "seq(map(string,tensor(float)))"})
"""The types of such outputs, in onnxruntime's words."""

ATTRIBUTE_NAME, ATTRIBUTE_INTS, ATTRIBUTE_STRINGS = 1, 8, 9
"""Numbers of the fields of ONNX's messages."""

LABEL_ATTRIBUTES = {b"classlabels_int64s", b"classlabels_strings"}
SIGN_BIT, WORD_BITS = 1 << 63, 64


@dataclass(frozen=True, slots=True)
class ZipMap:
    """The classes of one output, in the order of its columns."""

    keys: tuple[int | str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(map(str, self.keys))

    def to_matrix(self, maps: Sequence[Mapping[int | str, float]]) -> NDArray[Any]:
        """The numbers of each row, (rows, classes).

        Raises:
            ValueError: when the classes are others.
        """
        if any(len(row) != len(self.keys) for row in maps) or (maps and (*maps[0],) != self.keys):
            raise ValueError(f"an output has other classes than {', '.join(self.classes)}")
        return np.array([[*row.values()] for row in maps], np.float32).reshape(len(maps), len(self.keys))


@dataclass
class _OutputNode:
    """A node that may give an output: its operator and tensors, and the labels of a ZipMap."""

    kind: bytes
    inputs: list[bytes]
    outputs: list[bytes]
    labels: tuple[int | str, ...]


def find_zip_maps(path: Path, outputs: Sequence[str]) -> Mapping[str, ZipMap]:
    """The classes of those of a model's outputs whose labels can be read from its file."""
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            nodes = {output: node for node in _nodes(content) for output in node.outputs}
    except (OSError, ValueError):  # such as a file in onnxruntime's own form
        return {}
    found = {}
    for name in outputs:
        node = nodes.get(name.encode())
        for _ in nodes:
            if node is None or node.kind != b"Identity" or not node.inputs:
                break
            node = nodes.get(node.inputs[0])
        if node is not None and node.kind == b"ZipMap" and node.labels:
            found[name] = ZipMap(tuple(sorted(set(node.labels))))
    return found


def _nodes(content: mmap) -> Iterator[_OutputNode]:
    """The nodes of the graph of a file."""
    for number, start, end in read_fields(content, 0, len(content)):
        if number == MODEL_GRAPH and end >= 0:
            for inner, begin, stop in read_fields(content, start, end):
                if inner == GRAPH_NODE and stop >= 0:
                    yield _node(content, begin, stop)


def _node(content: mmap, start: int, end: int) -> _OutputNode:
    node = _OutputNode(b"", [], [], ())
    for number, begin, stop in read_fields(content, start, end):
        if stop < 0:
            continue
        if number == NODE_INPUT:
            node.inputs.append(content[begin:stop])
        elif number == NODE_OUTPUT:
            node.outputs.append(content[begin:stop])
        elif number == NODE_KIND:
            node.kind = content[begin:stop]
        elif number == NODE_ATTRIBUTE:
            node.labels += _labels(content, begin, stop)
    return node


def _labels(content: mmap, start: int, end: int) -> tuple[int | str, ...]:
    """The labels in an attribute; none if it is another one."""
    name = b""
    labels: list[int | str] = []
    for number, begin, stop in read_fields(content, start, end):
        if number == ATTRIBUTE_NAME and stop >= 0:
            name = content[begin:stop]
        elif number == ATTRIBUTE_STRINGS and stop >= 0:
            labels.append(content[begin:stop].decode())
        elif number == ATTRIBUTE_INTS:
            values = [begin] if stop < 0 else read_varints(content, begin, stop)
            labels += [value - (1 << WORD_BITS) if value & SIGN_BIT else value for value in values]
    return tuple(labels) if name in LABEL_ATTRIBUTES else ()
