"""The rows of a pair as its configuration writes them: an axis for each input, or a whole request.

They overrule the probe, but no run: what made-up or given rows disprove is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.inference.batchability import Batchability, Findings, Proof
from tightrope.service.inference.independence.row_findings import REQUEST_IS_ROW, WRONG_ORDER
from tightrope.service.inference.row_axes.request_rows import RequestRowModel
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_axes.rows_first_model import RowsFirstModel
from tightrope.service.inference.row_probe import FIXED_ROWS, ProbeOptions, RowProbe

WrittenRows: TypeAlias = Mapping[str, int | Literal["shared"]] | Literal["request"]
"""The section `rows`."""


def by_written_rows(
    models: Mapping[Role, Model], rows: WrittenRows, add_mistake: Callable[[str, str], None]
) -> tuple[dict[Role, Model], RowLayout | None]:
    """A pair's models, which take their inputs rows first, and the layout that callers have; None where rows are first
    there, too.
    """
    inputs = models[Role.BASELINE].inputs
    if any(endpoint_of(model) for model in models.values()):
        add_mistake("rows", "is for files, not for an endpoint")
        return dict(models), None
    if isinstance(rows, str):
        layout = RowLayout(inputs, {spec.name: None for spec in inputs}, is_request=True)
        return {role: RequestRowModel(model, layout) for role, model in models.items()}, layout
    shapes, axes = {spec.name: spec.shape for spec in inputs}, dict[str, int | None]()
    for name in (name for name in rows if name not in shapes):
        add_mistake(f"rows.{name}", f"there is no such input; there are {', '.join(shapes)}")
    for name, shape in shapes.items():
        axis = rows.get(name, 0 if shape else "shared")
        axes[name] = None if isinstance(axis, str) else axis
        if not isinstance(axis, str) and axis >= len(shape):
            add_mistake(f"rows.{name}", f"is {axis}, but the input has the shape {list(shape)}")
            return dict(models), None
    if set(axes.values()) == {None}:
        add_mistake("rows", "says that rows share all inputs; write rows: request if a request is one row")
    if set(axes.values()) <= {None} or set(axes.values()) == {0}:
        return dict(models), None
    layout = RowLayout(inputs, axes)
    return {role: RowsFirstModel(model, layout) for role, model in models.items()}, layout


def contradictions(
    batchability: Batchability, rows: WrittenRows, output: str, add_mistake: Callable[[str, str], None]
) -> None:
    """Add a mistake where runs of a role have shown that rows are not as they are written."""
    if isinstance(rows, str):
        return
    for role, findings in batchability.findings.items():
        if (reason := _disproof(findings, output)) is not None:
            shown = ", ".join(f"{name}: {axis}" for name, axis in sorted(rows.items()))
            text = f"is {{{shown}}}, but runs of the {role} model contradict it: {output!r}: {reason}"
            add_mistake("rows", f"{text}; write rows: request if a request is one row")


def requests_apart(probe: RowProbe) -> RowProbe:
    """A probe of models that take a request as one row: requests never share a run, even where runs would allow it."""

    def probe_apart(role: Role, model: Model, outputs: Sequence[str], options: ProbeOptions) -> Findings:
        found = probe(role, model, outputs, options)
        return {
            name: replace(each, proof=Proof.DISPROVED, reason=REQUEST_IS_ROW, axis=0) for name, each in found.items()
        }

    return probe_apart


def _disproof(findings: Findings, output: str) -> str | None:
    """The reason for which the rows of an output are not on the axes that are written."""
    finding = findings.get(output)
    if finding is None or finding.proof is not Proof.DISPROVED or finding.reason == FIXED_ROWS:
        return None
    return finding.reason if finding.axis is None or finding.reason == WRONG_ORDER else None
