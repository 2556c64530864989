"""Whether the values of a model's inputs, and not their shapes alone, decide how much work a run is.

Such a model may take a millisecond for one input and minutes for another of the same shape, so what was measured says
nothing, and its runs are never made on the event loop. The graph is read node by node: a tensor depends on values if
one of its node's inputs does, unless the node reads the shape alone. Work depends on values where such a tensor sets a
size or a number of steps; operators that are not known count as if it did.

Sources: ONNX, `onnx.proto` and `Operators.md`; onnxruntime, `ContribOperators.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path

from tightrope.service.adapters.protobuf_fields import read_fields

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_INPUT = 1, 11
INPUT_NAME = 1
NODE_INPUT, NODE_OUTPUT, NODE_KIND, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 4, 5, 7
ATTRIBUTE_GRAPHS = frozenset({6, 11})
"""Numbers of the fields of ONNX's messages."""

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"})
"""Domains whose operators are known; those of others may do anything."""

SHAPE_READERS = frozenset({"Shape", "Size"})

LOOPS = frozenset({"Loop", "SequenceMap", "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"})
"""Operators whose number of steps follows values."""

ALL_INPUTS = tuple(range(8))
SIZE_INPUTS: Mapping[str, Sequence[int]] = {
    "ConstantOfShape": (0,), "Expand": (1,), "Tile": (1,), "Range": (0, 1, 2), "Resize": (1, 2, 3), "Upsample": (1,),
    "Pad": (1,), "OneHot": (1,), "TopK": (1,), "Slice": (1, 2, 3, 4), "CenterCropPad": (1,), "Col2Im": (1, 2),
    "AffineGrid": (1,), "MaxUnpool": (2,), "HannWindow": (0,), "HammingWindow": (0,), "BlackmanWindow": (0,),
    "DFT": (1,), "STFT": (1, 3), "MelWeightMatrix": ALL_INPUTS, "If": (0,), "NonZero": (0,), "Compress": (1,),
    "Unique": (0,), "NonMaxSuppression": ALL_INPUTS,
}  # fmt: skip
"""The inputs of operators that set the size of their output, or choose what is done."""


class _UnreadableGraphError(Exception):
    """The graph is not in a form that can be read."""


@dataclass
class _Node:
    """A node: its operator, and its tensors by name; ``graphs`` are the places of the graphs within it."""

    kind: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    graphs: list[tuple[int, int]] = field(default_factory=list)


def find_value_work(path: Path) -> str:
    """The reason for which values decide the work of the model in a file; empty if its shapes do."""
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return _work_of_model(content)
    except (OSError, ValueError, RecursionError, _UnreadableGraphError) as error:
        return f"its graph cannot be read: {error}"


def _work_of_model(content: mmap) -> str:
    graphs = [(start, end) for number, start, end in read_fields(content, 0, len(content)) if number == MODEL_GRAPH]
    if len(graphs) != 1 or graphs[0][1] < 0:
        raise _UnreadableGraphError("no graph")
    return _work_of_graph(content, *graphs[0], set())


def _work_of_graph(content: mmap, start: int, end: int, outer: set[str]) -> str:
    """The reason that the nodes of a graph give; ``outer`` are the tensors around it that depend on values."""
    fields = list(read_fields(content, start, end))
    dependent = outer | {_text(content, *field, INPUT_NAME) for field in fields if field[0] == GRAPH_INPUT}
    for number, begin, stop in fields:
        if number != GRAPH_NODE:
            continue
        node = _node(content, begin, stop)
        if reason := _work_of_node(node, dependent):
            return reason
        for graph in node.graphs:
            if reason := _work_of_graph(content, *graph, dependent):
                return reason
        if node.kind not in SHAPE_READERS and (node.graphs or dependent.intersection(node.inputs)):
            dependent.update(node.outputs)
    return ""


def _work_of_node(node: _Node, dependent: set[str]) -> str:
    if node.domain not in DOMAINS:
        return f"{node.domain}.{node.kind} is not known"
    if node.kind in LOOPS:
        return f"the steps of a {node.kind} follow values"
    sizes = [name for index, name in enumerate(node.inputs) if index in SIZE_INPUTS.get(node.kind, ())]
    return f"the size of a {node.kind} follows values" if dependent.intersection(sizes) else ""


def _node(content: mmap, start: int, end: int) -> _Node:
    node = _Node()
    for number, begin, stop in read_fields(content, start, end):
        if number == NODE_INPUT:
            node.inputs.append(content[begin:stop].decode())
        elif number == NODE_OUTPUT:
            node.outputs.append(content[begin:stop].decode())
        elif number == NODE_KIND:
            node.kind = content[begin:stop].decode()
        elif number == NODE_DOMAIN:
            node.domain = content[begin:stop].decode()
        elif number == NODE_ATTRIBUTE:
            attribute = read_fields(content, begin, stop)
            node.graphs += [(first, last) for key, first, last in attribute if key in ATTRIBUTE_GRAPHS and last >= 0]
    return node


def _text(content: mmap, _: int, start: int, end: int, wanted: int) -> str:
    """The text in a field of a message."""
    for number, begin, stop in read_fields(content, start, end):
        if number == wanted:
            return content[begin:stop].decode()
    return ""
