"""Hypothesis strategies for records of any content, to test the wire format."""

import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tests.support.cluster.estimate_records import estimates
from tests.support.cluster.wire_vetoes import curve_sums, vetoes
from tightrope.monitors.dependence.autocorrelation import Autocorrelation
from tightrope.monitors.detector_bank import Cells
from tightrope.monitors.label_records import Label
from tightrope.monitors.latency import LatencyState
from tightrope.monitors.plan import State, UncomparedTraffic
from tightrope.monitors.records import (
    MATRICES,
    ROW_ARRAYS,
    Comparisons,
    Event,
    Order,
    Role,
    Routes,
    Sample,
    Stream,
    Traffic,
)
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.wire.bounds import COLUMN_RANGES, NumberRange
from tightrope.service.protocol.tensors import Tensor

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBER = st.floats(-1.7e308, 1.7e308)
TIME = st.floats(-1e12, 1e12)
SHARE = st.floats(0, 1)
COUNT = st.integers(0, 2**62)
INDEX = st.integers(0, 2**31 - 1)
SUM = st.floats(-(2.0**62), 2.0**62)
MASS = st.floats(max_value=1e9, allow_nan=False)
NAMES = st.lists(TEXT, unique=True, max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
DTYPES = ("?", "<u1", "<u2", "<u4", "<u8", "<i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8")
TYPES = {"fault": "<i1", "twin": "<u8", "features": "<f4", "caller": "<u8"} | dict.fromkeys(
    ("partition", "offset", "top_baseline", "top_compressed"), "<i8"
)
TYPES |= dict.fromkeys(("served_by_baseline", "apart", "disagree", "refused_baseline", "refused_compressed"), "?")

events = st.builds(Event, TEXT, TIME, TEXT, TEXT, TEXT, TEXT, TEXT, st.dictionaries(TEXT, JSON, max_size=3))
orders = st.builds(Order, TEXT, TIME, TEXT, TEXT, TEXT, TEXT, TEXT)
routes = st.builds(
    Routes, TEXT, st.integers(-1, 2**62), NAMES.map(tuple), st.dictionaries(TEXT, TEXT, max_size=3), TEXT, TEXT
)

labels = st.builds(Label, TEXT, TEXT, INDEX, INDEX, TIME, TEXT, SHARE)
traffic_notes = st.builds(Traffic, TEXT, TIME, COUNT, TIME, TEXT)


@st.composite
def tensors(draw: st.DrawFn, dtype: str, shape: tuple[int, ...]) -> Tensor:
    """A tensor of any content, row-major or not."""
    if dtype == "O":
        return draw(arrays.arrays(object, shape, elements=TEXT))
    tensor = draw(arrays.arrays(dtype, shape))
    return np.asfortranarray(tensor) if draw(st.booleans()) else tensor


LAYOUTS = st.dictionaries(
    TEXT,
    st.tuples(
        st.sampled_from(("O", *DTYPES)),
        arrays.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=3) | st.just(()),
    ),
    max_size=2,
)
"""The datatype of each tensor, and its shape without the rows."""


@st.composite
def sample_lists(draw: st.DrawFn) -> list[Sample]:
    """Samples of one kind."""
    scopes, model, baseline, compressed = draw(NAMES), draw(TEXT), draw(TEXT), draw(TEXT)
    sides = draw(LAYOUTS), draw(LAYOUTS)
    samples = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0, 3))
        inputs, outputs = (
            {name: draw(tensors(dtype, (rows, *shape))) for name, (dtype, shape) in side.items()} for side in sides
        )
        samples.append(
            Sample(
                model=model,
                request_id=draw(TEXT),
                time=draw(TIME),
                served_by=draw(st.sampled_from(Role)),
                baseline_digest=baseline,
                compressed_digest=compressed,
                inputs=inputs,
                outputs=outputs,
                scopes=tuple(scopes),
                member=draw(arrays.arrays(bool, (rows, len(scopes)))),
                draw=draw(SHARE),
                inclusion=draw(SHARE),
                seconds=draw(st.floats(0, 1e9) | st.just(math.nan)),
                caller=draw(st.integers(0, 2**64 - 1)),
                host_class=draw(TEXT),
                trace_id=draw(TEXT),
                apart=draw(st.booleans()),
            )
        )
    return samples


def column(name: str, rows: int) -> st.SearchStrategy[Any]:
    """A column of comparisons: numbers, texts, or a matrix by class."""
    if name in {"host_class", "shadow_host_class", "trace_id"}:
        return arrays.arrays(object, rows, elements=TEXT)
    shape = st.integers(0, 2).map(lambda classes: (rows, classes)) if name in MATRICES else st.just((rows,))
    limits = COLUMN_RANGES.get(name)
    elements = None if limits is None else within(limits, TYPES.get(name, "<f8"))
    return shape.flatmap(lambda sides: arrays.arrays(TYPES.get(name, "<f8"), sides, elements=elements))


def within(limits: NumberRange, dtype: str) -> st.SearchStrategy[Any]:
    """Numbers of a range, its ends and NaN included."""
    if dtype != "<f8":
        return st.integers(int(limits.low), int(limits.high))
    return st.floats(limits.low, limits.high) | st.just(math.nan if limits.unknown else limits.high)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparisons:
    """One batch."""
    scopes, rows = draw(NAMES), draw(st.integers(0, 4))
    columns = {name: draw(column(name, rows)) for name in ROW_ARRAYS if name != "member"}
    return Comparisons(
        model=draw(TEXT),
        baseline_digest=draw(TEXT),
        compressed_digest=draw(TEXT),
        log=draw(TEXT),
        scopes=tuple(scopes),
        request_id=tuple(draw(st.lists(TEXT, min_size=rows, max_size=rows))),
        member=draw(arrays.arrays(bool, (rows, len(scopes)))),
        **columns,
    )


@st.composite
def cells(draw: st.DrawFn, scopes: int) -> Cells:
    """One monitor's cells, including minus infinity and minus zero."""
    width, back, variants = (draw(st.integers(1, 3)) for _ in range(3))
    return Cells(
        log_mass=draw(arrays.arrays("<f8", (variants, scopes, width), elements=MASS)),
        recovery=draw(arrays.arrays("<f8", (variants, scopes, back), elements=MASS)),
        pending=draw(arrays.arrays("<i8", (variants, scopes), elements=COUNT)),
        count=draw(arrays.arrays("<i8", (variants, scopes))),
        total=draw(arrays.arrays("<f8", (variants, scopes), elements=NUMBER)),
        path=draw(arrays.arrays("<f8", (variants, scopes, 2, 3), elements=MASS)),
        tripped=draw(arrays.arrays(bool, (variants, scopes))),
        window=draw(arrays.arrays("<f8", (variants, scopes, draw(st.integers(0, 2)), 2), elements=NUMBER)),
    )


@st.composite
def blocks(draw: st.DrawFn) -> LatencyState:
    """A state of the latency objective."""
    log_mass = draw(arrays.arrays("<f8", (draw(st.integers(1, 3)), 2), elements=MASS))
    return LatencyState(
        log_mass, draw(st.integers(-1, 2**62)), *(draw(COUNT) for _ in range(3)), draw(SUM), draw(st.booleans())
    )


@st.composite
def states(draw: st.DrawFn) -> State:
    """A whole snapshot."""
    scopes, monitors = draw(NAMES), draw(NAMES)
    flag = st.booleans()
    modes = st.builds(Mode, st.sampled_from(ModeState), flag, flag, TIME, TIME, st.integers(0, 99), flag)
    size = len(scopes)
    return State(
        digest=draw(TEXT),
        baseline_digest=draw(TEXT),
        compressed_digest=draw(TEXT),
        scopes=tuple(scopes),
        monitors=tuple(monitors),
        epoch=draw(COUNT),
        seen={stream: draw(COUNT) for stream in Stream},
        stale=draw(COUNT),
        log=draw(TEXT),
        watermarks=draw(st.dictionaries(st.integers(0, 9), COUNT, max_size=3)),
        pending=draw(st.dictionaries(st.sampled_from(Stream), comparisons())),
        modes=tuple(draw(modes) for _ in scopes),
        compared=draw(arrays.arrays("<i8", size, elements=COUNT)),
        disagreed=draw(arrays.arrays("<i8", size, elements=COUNT)),
        errors=draw(arrays.arrays("<i8", size, elements=COUNT)),
        faulty=draw(arrays.arrays(bool, size)),
        noise=draw(arrays.arrays("<i8", (size, 2), elements=COUNT)),
        sighted=draw(arrays.arrays("<i8", size, elements=COUNT)),
        lag=draw(st.builds(Autocorrelation, COUNT, SUM, SUM, SUM)),
        unanswered=draw(st.builds(UncomparedTraffic, COUNT, TIME, TIME)),
        latency=draw(blocks()),
        labels=draw(st.dictionaries(TEXT, COUNT, max_size=3)),
        refused={role: draw(arrays.arrays("<i8", (size, 2), elements=COUNT)) for role in Role},
        cells=tuple(draw(cells(size)) for _ in monitors),
        estimates=draw(estimates()),
        veto=draw(vetoes(size)),
        curves=draw(curve_sums()),
    )


def bit_identical(left: Any, right: Any) -> bool:  # noqa: ANN401 - anything a record holds
    """Equal in type, structure and every bit: NaN equals itself, 0.0 is not -0.0, and 1 is not 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        bits = "tolist" if left.dtype == object else "tobytes"
        ours, theirs = ((a.dtype, a.shape, getattr(a, bits)()) for a in (left, right))
        return bool(ours == theirs)
    if is_dataclass(left):
        return all(bit_identical(getattr(left, f.name), getattr(right, f.name)) for f in fields(left))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(bit_identical(value, right[key]) for key, value in left.items())
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(bit_identical, left, right))
    return repr(left) == repr(right)
