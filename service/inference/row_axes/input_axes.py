"""The axes of the rows of inputs, found by runs on made-up rows.

How it works: an input has its rows on axis 0 where that is free, else on another free axis, and is shared by the rows
where it has no free side: a free side is never taken to be shared, because broadcasting would seem to prove it. One
input at least has its rows on axis 0. Each combination is tried by the probe, the likeliest first. The one that proves
most outputs, the deciding one among them, counts.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from math import prod

from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.inference.batchability import Findings, Proof
from tightrope.service.inference.row_axes.row_layout import RowAxes, RowLayout
from tightrope.service.inference.row_axes.rows_first_model import RowsFirstModel
from tightrope.service.inference.row_probe import USUAL_PROBE, ProbeOptions, probe_rows
from tightrope.service.protocol.tensors import TensorSpec

MOST_COMBINATIONS = 64
"""Combinations of axes that are tried for a model."""

MOST_SHARED = 1024
"""Elements of an input that rows may be taken to share: in a batch there is one copy a row."""

SCALAR_ADVICE = "the first dimension must be the row, or runs on made-up rows must show that they share it"
"""The condition on a scalar input."""

AxesOf = Callable[[Role, Model, str, ProbeOptions], RowAxes | None]
"""Finds the axes of the rows of a role's inputs, where its model is known to be by rows by its deciding output."""


def are_plain(inputs: Sequence[TensorSpec]) -> bool:
    """Whether all inputs declare a free axis 0: then it is their rows'."""
    return all(spec.shape[:1] == (-1,) for spec in inputs)


def find_axes(_: Role, model: Model, decides: str, options: ProbeOptions = USUAL_PROBE) -> RowAxes | None:
    """The axes of the inputs' rows, by runs in this process; None where none are proven."""
    deadline = time.perf_counter() + options.seconds
    outputs, best, most = [spec.name for spec in model.outputs], None, 0
    for axes in islice(combinations(model.inputs), MOST_COMBINATIONS):
        if (seconds := deadline - time.perf_counter()) <= 0:
            break
        found = probe_rows(
            RowsFirstModel(model, RowLayout(model.inputs, axes)), outputs, replace(options, seconds=seconds)
        )
        proven = sum(finding.proof is Proof.PROVEN for finding in found.values())
        if decides in found and found[decides].proof is Proof.PROVEN and found[decides].axis == 0 and proven > most:
            best, most = axes, proven
        if proven == len(outputs):
            break
    return best


def combinations(inputs: Sequence[TensorSpec]) -> Iterator[RowAxes]:
    """The axes that the rows may be on, the likeliest first."""
    choices: list[Sequence[int | None]] = []
    for spec in inputs:
        free = [axis for axis, length in enumerate(spec.shape) if length < 0]
        choices.append(free or ([None] if prod(spec.shape) <= MOST_SHARED else []))
    names = [spec.name for spec in inputs]
    for indices in sorted(product(*(range(len(choice)) for choice in choices)), key=sum):
        axes = [choice[index] for choice, index in zip(choices, indices, strict=True)]
        if 0 in axes:
            yield dict(zip(names, axes, strict=True))


def find_layout(
    models: Mapping[Role, Model], decides: str, axes_of: AxesOf = find_axes, options: ProbeOptions = USUAL_PROBE
) -> tuple[RowLayout | None, Sequence[str]]:
    """The layout of a pair, None where all rows are on axis 0 or no other one is proven; and a line for each input
    whose axes differ between the roles. Where a server is away, the layout of the other role counts, or else the
    likeliest one: nothing is proven then, so that requests run apart, and each gets to its model as it came.
    """
    inputs = models[Role.BASELINE].inputs
    if not decides or are_plain(inputs):
        return None, ()
    ours, theirs = (axes_of(role, models[role], decides, options) for role in (Role.BASELINE, Role.COMPRESSED))
    axes = ours or theirs
    if axes is None and any(map(_is_away, models.values())):
        axes = next(combinations(inputs), None)
    if axes is None:
        return None, ()
    conflicts = []
    for name, axis in (theirs or {}).items():
        if axis != axes.get(name):
            found, expected = _describe(axis), _describe(axes.get(name)).removeprefix("has rows ")
            conflicts.append(f"input {name!r} {found}, the baseline's {expected}; write compressed_tensors.prepare")
    return RowLayout(models[Role.BASELINE].inputs, axes), conflicts


def rows_first(
    models: Mapping[Role, Model],
    decides: str,
    axes_of: AxesOf,
    add_mistake: Callable[[str, str], None],
    options: ProbeOptions = USUAL_PROBE,
) -> tuple[dict[Role, Model], RowLayout | None]:
    """A pair's models, which take their inputs rows first, and the layout that callers have; None where they declare
    them so.
    """
    layout, conflicts = find_layout(models, decides, axes_of, options)
    for conflict in conflicts:
        add_mistake("compressed", conflict)
    if layout is not None:
        return {role: RowsFirstModel(model, layout) for role, model in models.items()}, layout
    for spec in models[Role.BASELINE].inputs:
        if not spec.shape:
            add_mistake("baseline", f"input {spec.name!r} is a scalar; {SCALAR_ADVICE}")
    return dict(models), None


def set_output_axes(models: Mapping[Role, Model], findings: Mapping[Role, Findings]) -> None:
    """Tell models with shared inputs the axes of their outputs' rows, which the probe found."""
    for role, model in models.items():
        if isinstance(model, RowsFirstModel):
            model.output_axes = {name: finding.axis for name, finding in findings.get(role, {}).items()}


def _is_away(model: Model) -> bool:
    endpoint = endpoint_of(model)
    return endpoint is not None and (bool(endpoint.breaker.open_reason) or not endpoint.ready())


def _describe(axis: int | None) -> str:
    return "is shared by the rows" if axis is None else f"has rows on axis {axis}"
