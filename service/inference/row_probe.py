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
from tightrope.service.inference.independence.given_rows import GivenRows
from tightrope.service.inference.independence.row_findings import distance_of, finding_of, holds_numbers
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

FIXED_ROWS = "an input has a fixed number of rows"
"""The reason why rows of a model do not share runs that declares their number."""


@dataclass(frozen=True, slots=True)
class ProbeOptions:
    """How a model is probed: for how many ``seconds``, and with which rows: ``given`` or made up."""

    seconds: float = MAX_PROBE_SECONDS
    given: GivenRows | None = None


USUAL_PROBE = ProbeOptions()
"""The options of a probe that is not configured."""

RowProbe = Callable[[Role, Model, Sequence[str], ProbeOptions], Findings]
"""Finds out which of these outputs of the model of a role are by rows."""


class _CannotTellError(Exception):
    """The probe ends without a proof or its contrary."""


class _NothingRunsError(_CannotTellError):
    """No row runs; the argument is the error of the last one."""


@dataclass
class _Row:
    """A made-up row that runs, and the outputs that it gets alone."""

    inputs: Tensors
    alone: Tensors


@dataclass
class _Probe:
    """The probe of one model, with its random numbers and the time at which it ends. ``given`` has the rows that take
    the place of made-up ones. ``shared`` holds the inputs that all rows share, once a row has run: rows with others
    would not run together.
    """

    model: Model
    outputs: Sequence[str]
    deadline: float
    given: Sequence[Tensors] = ()
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

    @property
    def most(self) -> int:
        """Rows that are tried."""
        return len(self.given) or MAX_ROWS

    def row(self, side: int, ceiling: int) -> _Row | None:
        """Take or draw the next row, and run it alone; None where it fails."""
        scale = SCALES[self.drawn % len(SCALES)]
        if self.given:
            inputs = dict(self.given[self.drawn])
        else:
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
    models: Mapping[Role, Model],
    output: str,
    batch_rows: int | None,
    probe: RowProbe | None = None,
    options: ProbeOptions = USUAL_PROBE,
) -> Batchability:
    """Probe both models; ``output`` is the one that decides."""
    names, probe = [spec.name for spec in models[Role.BASELINE].outputs], probe or probe_role
    findings = {role: probe(role, model, names, options) for role, model in models.items()}
    return Batchability(findings, output, batch_rows)


def probe_role(_: Role, model: Model, outputs: Sequence[str], options: ProbeOptions) -> Findings:
    """Probe the model of a role in this process; the usual `RowProbe`."""
    return probe_rows(model, outputs, options)


def probe_rows(
    model: Model,
    outputs: Sequence[str],
    options: ProbeOptions = USUAL_PROBE,
) -> Findings:
    """Find out which of these outputs of a model are by rows. Never raises: an unexpected error proves nothing."""
    given = options.given.rows(getattr(model, "layout", None)) if options.given else ()
    if options.given and not given:
        return dict.fromkeys(outputs, RowFinding(Proof.UNKNOWN, "the given rows have another layout"))
    probe = _Probe(model, outputs, time.perf_counter() + options.seconds, given)
    if not all(spec.shape[:1] == (-1,) for spec in model.inputs):
        return dict.fromkeys(outputs, RowFinding(Proof.DISPROVED, FIXED_ROWS))
    findings: dict[str, RowFinding] = dict.fromkeys(outputs, RowFinding(Proof.UNKNOWN, "no made-up row runs"))
    try:
        for found in _rounds(probe):
            findings = {name: _combine(findings[name], found[name]) for name in outputs}
    except _NothingRunsError as error:
        reason = f"no made-up row runs (last: {error})"
        return dict.fromkeys(outputs, RowFinding(Proof.UNKNOWN, reason, error=str(error)))
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
    if PROBE_ROWS * (time.perf_counter() - began) / max(probe.drawn, 1) > probe.deadline - began:
        raise _CannotTellError("made-up rows take too long")
    a, b, c = first, _next_row(probe, draw), _next_row(probe, draw)
    proven = _compare(probe, a, b, c)
    yield proven
    unknown = {name for name, finding in proven.items() if finding.proof is Proof.UNKNOWN}
    while unknown and probe.drawn < probe.most:
        other = _next_row(probe, draw)
        if any(holds_numbers(a.alone[name]) and distance_of(a.alone[name], other.alone[name]) for name in unknown):
            proven = _compare(probe, a, other, c)
            yield proven
            unknown = {name for name in unknown if proven[name].proof is Proof.UNKNOWN}


def _first_row(probe: _Probe) -> tuple[Callable[[], _Row | None], _Row]:
    """How to draw rows that run, and the first of them.

    Raises:
        _NothingRunsError: when none runs.
    """
    if probe.given:
        while probe.drawn < probe.most:
            if (row := probe.row(1, 1)) is not None:
                return lambda: probe.row(1, 1), row
        raise _NothingRunsError(probe.error)
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
    raise _NothingRunsError(probe.error)


def _next_row(probe: _Probe, draw: Callable[[], _Row | None]) -> _Row:
    """The next row that runs.

    Raises:
        _CannotTellError: when there have been too many that do not.
    """
    while probe.drawn < probe.most:
        if (row := draw()) is not None:
            return row
    raise _CannotTellError(f"too few rows run (last: {probe.error})")


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
        name: finding_of(a.alone[name], b.alone[name], *(outputs[name] for outputs in together))
        for name in probe.outputs
    }
