"""The probe of a pair: runs on made-up rows show which outputs are by rows, each independent of the
others.

How it works: a row is drawn for side lengths of `SIDES` until one runs. Three rows a, b and c run as [a] [b] [c] [a,a]
[b,b] [a,b] [b,a] [a,c] [c,a] [a,a,b]. An output is by rows where one axis has length 1, 2, 3 while all other sides
stay; where the place of a row is closest to that row alone; and where the same place is equal beside other neighbours.
Beside and alone need not be equal: kernels change with the size of a batch. c is wider than a and b, so that a model
that scales by its largest input shows it. Names and declared shapes prove nothing, and neither do NaN or infinity.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from tightrope.monitors.records import Role, Tensors
from tightrope.service.adapters.ports import Model, RunFailedError, UnreachableError
from tightrope.service.inference.batchability import Batchability, Findings, Proof, RowFinding
from tightrope.service.protocol.tensors import Tensor, TensorSpec, dtype_of

log = logging.getLogger(__name__)

SIDES = (8, 1, 2, 4, 16, 32, 48, 64, 128, 224, 256, 320, 512, 576, 1024, 4096, 16000)
"""Lengths of the free sides of made-up rows, in the order in which they are tried."""

MAX_ELEMENTS = 1 << 22
"""Numbers in a made-up row beyond which it is not tried."""

CEILINGS = (100, 2)
"""Limits of the integers in made-up rows, in the order in which they are tried: integers may be indices."""

SCALES = (1.0, 1.0, 10.0, 3.0, 0.1, 1.0, 100.0, 30.0)
"""Standard deviations of the numbers of successive rows."""

MAX_ROWS = 32
"""Rows tried before the probe cannot tell."""

MAX_PROBE_SECONDS = 2.0
"""Seconds for one model: beyond it the probe cannot tell. A probe has as many rows as `PROBE_ROWS`."""

PROBE_ROWS = 18

OWN_SHARE = 4.0
"""A row's place must be this many times closer to the row alone than another row's answer is."""

RELATIVE, ABSOLUTE = 1e-6, 1e-7
"""Rounding, within which the answers beside two neighbours are equal."""


RowProbe = Callable[[Role, Model, Sequence[str]], Findings]
"""Finds out which of these outputs of the model of a role are by rows."""


class _CannotTellError(Exception):
    """The probe ends without a proof or its contrary."""


@dataclass
class _Row:
    """A made-up row that runs, and the outputs that it gets alone."""

    inputs: Tensors
    alone: Tensors


@dataclass
class _Probe:
    """The probe of one model, with its random numbers and the time at which it ends. ``shared`` holds the inputs that
    all rows share, once a row has run: rows with others would not run together.
    """

    model: Model
    outputs: Sequence[str]
    deadline: float
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    shared: Tensors = field(default_factory=dict)
    drawn: int = 0
    error: str = ""

    def run(self, inputs: Tensors) -> Tensors:
        """Run the model.

        Raises:
            RunFailedError: when it fails.
            _CannotTellError: when it is unreachable, or the time is over.
        """
        if time.perf_counter() > self.deadline:
            raise _CannotTellError("made-up rows take too long")
        try:
            return self.model.run(inputs, self.outputs)
        except UnreachableError as error:
            raise _CannotTellError(f"it cannot be reached: {error}") from error

    def row(self, side: int, ceiling: int) -> _Row | None:
        """Draw the next row, and run it alone; None where it fails."""
        scale = SCALES[self.drawn % len(SCALES)]
        inputs = {spec.name: self._draw(spec, side, ceiling, scale) for spec in self.model.inputs}
        inputs.update(self.shared)
        self.drawn += 1
        try:
            row = _Row(inputs, self.run(inputs))
            self.shared = {name: inputs[name] for name in getattr(self.model, "shared", ())}
            return row  # noqa: TRY300
        except RunFailedError as error:
            self.error = str(error)
            return None

    def _draw(self, spec: TensorSpec, side: int, ceiling: int, scale: float) -> Tensor:
        shape, dtype = (1, *(side if length < 0 else length for length in spec.shape[1:])), dtype_of(spec.datatype)
        if "mask" in spec.name:  # of ones, because a model may give nothing where it is zero
            return np.full(shape, "1" if dtype.kind == "O" else 1, dtype)
        if dtype.kind == "O":
            return np.full(shape, "abcdefgh"[self.drawn % 8], dtype)
        if dtype.kind == "f":
            return np.asarray(self.random.normal(0.0, scale, shape)).astype(dtype)
        if spec.datatype == "UINT8":  # an image, most likely
            return self.random.integers(0, 256 if scale > 1 else 128, shape).astype(dtype)
        return self.random.integers(0, 2 if dtype.kind == "b" else ceiling, shape).astype(dtype)


def probe_pair(
    models: Mapping[Role, Model], output: str, batch_rows: int | None, probe: RowProbe | None = None
) -> Batchability:
    """Probe both models; ``output`` is the one that decides."""
    names, probe = [spec.name for spec in models[Role.BASELINE].outputs], probe or probe_role
    return Batchability({role: probe(role, model, names) for role, model in models.items()}, output, batch_rows)


def probe_role(_: Role, model: Model, outputs: Sequence[str]) -> Findings:
    """Probe the model of a role in this process; the usual `RowProbe`."""
    return probe_rows(model, outputs)


def probe_rows(model: Model, outputs: Sequence[str], seconds: float = MAX_PROBE_SECONDS) -> Findings:
    """Find out which of these outputs of a model are by rows. Never raises: an unexpected error proves nothing."""
    probe = _Probe(model, outputs, time.perf_counter() + seconds)
    if not all(spec.shape[:1] == (-1,) for spec in model.inputs):
        return dict.fromkeys(outputs, RowFinding(Proof.DISPROVED, "an input has a fixed number of rows"))
    findings: dict[str, RowFinding] = dict.fromkeys(outputs, RowFinding(Proof.UNKNOWN, "no made-up row runs"))
    try:
        for found in _rounds(probe):
            findings = {name: _combine(findings[name], found[name]) for name in outputs}
    except _CannotTellError as error:
        return _instead_of_unknown(findings, str(error))
    except Exception as error:
        log.exception("made-up rows cannot be tried")
        return _instead_of_unknown(findings, f"made-up rows cannot be tried: {error}")
    return findings


def _instead_of_unknown(findings: Findings, reason: str) -> Findings:
    """The findings, with another reason where nothing was found."""
    return {
        name: RowFinding(Proof.UNKNOWN, reason, finding.axis) if finding.proof is Proof.UNKNOWN else finding
        for name, finding in findings.items()
    }


def _combine(before: RowFinding, after: RowFinding) -> RowFinding:
    """One round disproves, as does another axis; otherwise one round proves; otherwise the latest reason stands."""
    if None not in (before.axis, after.axis) and before.axis != after.axis:
        return RowFinding(Proof.DISPROVED, f"its rows are on axis {before.axis} or {after.axis}")
    if before.proof is Proof.DISPROVED or (before.proof is Proof.PROVEN and after.proof is not Proof.DISPROVED):
        return before
    return after


def _rounds(probe: _Probe) -> Iterator[Findings]:
    """Rounds of three rows: one, and more while an output's rows all say the same.

    Raises:
        _CannotTellError: when no three rows run.
    """
    began = time.perf_counter()
    draw, first = _first_row(probe)
    if PROBE_ROWS * (time.perf_counter() - began) / max(probe.drawn, 1) > MAX_PROBE_SECONDS:
        raise _CannotTellError("made-up rows take too long")
    a, b, c = first, _next_row(probe, draw), _next_row(probe, draw)
    proven = _compare(probe, a, b, c)
    yield proven
    unknown = {name for name, finding in proven.items() if finding.proof is Proof.UNKNOWN}
    while unknown and probe.drawn < MAX_ROWS:
        other = _next_row(probe, draw)
        if any(_is_finite(a.alone[name]) and _distance(a.alone[name], other.alone[name]) for name in unknown):
            proven = _compare(probe, a, other, c)
            yield proven
            unknown = {name for name in unknown if proven[name].proof is Proof.UNKNOWN}


def _first_row(probe: _Probe) -> tuple[Callable[[], _Row | None], _Row]:
    """How to draw rows that run, and the first of them.

    Raises:
        _CannotTellError: when none runs.
    """
    specs = probe.model.inputs
    sides = SIDES if any(-1 in spec.shape[1:] for spec in specs) else (1,)
    has_integers = any(dtype_of(spec.datatype).kind in "iu" and spec.datatype != "UINT8" for spec in specs)
    for ceiling in CEILINGS if has_integers else CEILINGS[:1]:
        for side in sides:
            size = max(prod(side if length < 0 else length for length in spec.shape[1:]) for spec in specs)
            if size > MAX_ELEMENTS:
                continue
            for _ in range(1 if len(sides) > 1 else len(SCALES)):
                if (row := probe.row(side, ceiling)) is not None:
                    probe.drawn = 1
                    return lambda: probe.row(side, ceiling), row  # noqa: B023 - returned at once
    raise _CannotTellError(f"no made-up row runs (last: {probe.error})")


def _next_row(probe: _Probe, draw: Callable[[], _Row | None]) -> _Row:
    """The next row that runs.

    Raises:
        _CannotTellError: when there have been too many that do not.
    """
    while probe.drawn < MAX_ROWS:
        if (row := draw()) is not None:
            return row
    raise _CannotTellError(f"too few made-up rows run (last: {probe.error})")


def _compare(probe: _Probe, a: _Row, b: _Row, c: _Row) -> Findings:
    """Run the rows together in every order, and compare the outputs."""
    orders = ((a, a), (b, b), (a, b), (b, a), (a, c), (c, a), (a, a, b))
    try:
        together = [
            probe.run({name: np.concatenate([row.inputs[name] for row in order]) for name in a.inputs})
            for order in orders
        ]
    except RunFailedError as error:
        return dict.fromkeys(probe.outputs, RowFinding(Proof.DISPROVED, f"two rows cannot share a run: {error}"))
    return {
        name: _finding(a.alone[name], b.alone[name], *(outputs[name] for outputs in together)) for name in probe.outputs
    }


def _finding(
    a: Tensor, b: Tensor, aa: Tensor, bb: Tensor, ab: Tensor, ba: Tensor, ac: Tensor, ca: Tensor, aab: Tensor
) -> RowFinding:
    """The finding for one output, from what it holds in each run."""
    outputs = {1: (a, b), 2: (aa, bb, ab, ba, ac, ca), 3: (aab,)}
    axis = _row_axis({rows: {output.shape for output in found} for rows, found in outputs.items()})
    if axis is None:
        shapes = ", ".join(f"{rows} gave the shape {list(found[0].shape)}" for rows, found in outputs.items())
        return RowFinding(Proof.DISPROVED, f"no axis of it is the rows: {shapes}")
    return _finding_of_rows(axis, *(np.moveaxis(output, axis, 0) for output in (a, b, aa, bb, ab, ba, ac, ca, aab)))


def _row_axis(shapes: Mapping[int, set[tuple[int, ...]]]) -> int | None:
    """The axis whose length is the number of rows, where all other sides stay, in shapes by their rows."""
    one = next(iter(shapes[1]))
    for axis, length in enumerate(one):
        if length == 1 and all(found == {(*one[:axis], rows, *one[axis + 1 :])} for rows, found in shapes.items()):
            return axis
    return None


def _finding_of_rows(
    axis: int, a: Tensor, b: Tensor, aa: Tensor, bb: Tensor, ab: Tensor, ba: Tensor, ac: Tensor, ca: Tensor, aab: Tensor
) -> RowFinding:
    """The finding for an output whose rows are on this axis, from what it holds in each run, rows first."""
    if not (np.size(a) and _is_finite(a) and _is_finite(b)):
        return RowFinding(Proof.UNKNOWN, "made-up rows get no finite numbers", axis)
    beside = ((ab[0], ac[0]), (ab[0], aa[0]), (ba[1], ca[1]), (ba[0], bb[0]), (ab[1], bb[1]))
    if not all(_equal(one, other) for one, other in beside):
        return RowFinding(Proof.DISPROVED, "a row's answer depends on the other rows of its run", axis)
    apart = _distance(a[0], b[0])
    if not apart or _distance(aa[0], a[0]) > apart / OWN_SHARE:
        return RowFinding(Proof.UNKNOWN, "made-up rows all get the same answer", axis)
    served = ((ab[0], a), (ab[1], b), (ba[0], b), (ba[1], a), (aab[0], a), (aab[1], a), (aab[2], b))
    if not all(_distance(row, alone[0]) <= apart / OWN_SHARE for row, alone in served):
        return RowFinding(Proof.DISPROVED, "the answers of a run are not those of its rows, in their order", axis)
    return RowFinding(Proof.PROVEN, axis=axis)


def _is_finite(output: Tensor) -> bool:
    return output.dtype.kind != "f" or bool(np.isfinite(output).all())


def _equal(one: Tensor, other: Tensor) -> bool:
    """Whether two answers are equal up to rounding."""
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    x, y = one.astype(np.float64), other.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(x - y) <= RELATIVE * np.maximum(np.abs(x), np.abs(y)) + ABSOLUTE))


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference of two answers, or the share of their entries that differ; infinite for NaN."""
    if one.shape != other.shape or not one.size:
        return float(one.shape != other.shape)
    if one.dtype.kind != "f":
        return float(np.mean(one != other))
    with np.errstate(invalid="ignore"):
        distance = float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
    return distance if distance == distance else float("inf")  # noqa: PLR0124 - NaN differs from itself
