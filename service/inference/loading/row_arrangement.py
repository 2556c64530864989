"""The arrangement of a pair's rows: the models with their rows first, as written or found by runs, and the findings."""

from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.records import Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.config import models as config
from tightrope.service.config.loader import ConfigError
from tightrope.service.inference.batchability import Batchability, RowFinding
from tightrope.service.inference.independence.given_rows import GivenRowsError
from tightrope.service.inference.independence.row_findings import has_no_rows
from tightrope.service.inference.kinds.kind_building import find_kind, is_plain
from tightrope.service.inference.loading.decision_output import find_decision_output
from tightrope.service.inference.loading.mistakes import Mistakes
from tightrope.service.inference.loading.probe_file import given_rows
from tightrope.service.inference.probing.scale_check import scale_mistakes
from tightrope.service.inference.row_axes.input_axes import AxesOf, rows_first, set_output_axes
from tightrope.service.inference.row_axes.row_layout import RowLayout
from tightrope.service.inference.row_axes.written_rows import by_written_rows, contradictions, requests_apart
from tightrope.service.inference.row_probe import ProbeOptions, RowProbe, probe_pair
from tightrope.service.protocol.tensors import TensorSpec

KINDS_OF_PLACES = frozenset({"classes", "labels", "binary", "multilabel", "regression"})
"""Kinds that read the same numbers of each row."""

VARYING_ADVICE = "such outputs, as of detectors, are compared by a later version; write an output of one length"


@dataclass(frozen=True, slots=True)
class RowArrangement:
    """The models with their rows first, and the layout that callers have, None where it is the same. ``output`` is the
    one that decides, empty after a mistake, by ``kind`` unless it is plain.
    """

    models: dict[Role, Model]
    layout: RowLayout | None
    output: str
    kind: DecisionKind | None


def probe_options(
    name: str, section: config.ModelSection, inputs: Sequence[TensorSpec], mistakes: Mistakes
) -> ProbeOptions:
    """How the models are probed."""
    if section.probe.rows is None:
        return ProbeOptions(section.probe.seconds)
    try:
        given = given_rows(section.probe.rows, name, inputs, allow_nan=section.allow_nan)
    except GivenRowsError as error:
        mistakes.add("probe.rows", str(error))
        return ProbeOptions(section.probe.seconds)
    return ProbeOptions(section.probe.seconds, given)


def arrange_rows(
    models: dict[Role, Model],
    section: config.ModelSection,
    axes_of: AxesOf,
    options: ProbeOptions,
    mistakes: Mistakes,
) -> RowArrangement:
    """Put the rows of the models first, by the axes that are written or else found by ``axes_of``."""
    layout = None
    if section.rows is not None:
        models, layout = by_written_rows(models, section.rows, mistakes.add)
    kind = find_kind(section, models[Role.BASELINE], mistakes.add)
    output = _decision_output(section, kind, models[Role.BASELINE], mistakes)
    if section.rows is None:
        models, layout = rows_first(models, output, axes_of, mistakes.add, options)
    if options.given is not None:
        try:
            options.given.read(layout)
        except GivenRowsError as error:
            mistakes.add("probe.rows", str(error))
    return RowArrangement(models, layout, output, kind)


def probe_rows(
    arranged: RowArrangement, section: config.ModelSection, probe: RowProbe, options: ProbeOptions
) -> Batchability:
    """Find out which outputs are by rows, and on which axes."""
    probe = requests_apart(probe) if section.rows == "request" else probe
    return probe_pair(arranged.models, arranged.output, section.batch_rows, probe, options)


def can_take_requests(arranged: RowArrangement, batchability: Batchability) -> bool:
    """Whether the deciding output has no axis of rows in the baseline, nor a known one in the compressed model, so that
    a request is one row. A remote model takes rows only.
    """
    if any(map(endpoint_of, arranged.models.values())):
        return False
    found = {role: batchability.findings.get(role, {}).get(arranged.output) for role in Role}
    theirs = found[Role.COMPRESSED]
    return has_no_rows(found[Role.BASELINE]) and (theirs is None or theirs.axis is None or has_no_rows(theirs))


def request_note(output: str) -> str:
    """The note about a pair whose requests are rows by themselves."""
    return (
        f"rows: request, because {output!r} has no axis of rows: a request is one row and has one loss, requests run "
        "apart, and outputs are given whole"
    )


def check_findings(
    arranged: RowArrangement,
    batchability: Batchability,
    section: config.ModelSection,
    options: ProbeOptions,
    mistakes: Mistakes,
) -> None:
    """Check what the probe found against what is written, and tell the models the axes of their outputs.

    Raises:
        ConfigError: when nothing runs, the roles differ in an axis, or what is written is contradicted.
    """
    output, kind = arranged.output, arranged.kind
    for role, findings in batchability.findings.items():
        if (finding := findings.get(output)) is None or not finding.error:
            continue
        if options.given is not None:
            mistakes.add("probe.rows", f"{options.given.path}: no row runs on the {role} (last: {finding.error})")
        else:
            advice = "write probe: {rows: rows.npz}"
            mistakes.add(role, f"no made-up input runs (last: {finding.error}); {advice}")
    scales = section.decision.scales
    for text in scale_mistakes(batchability.findings, output, scales, kind.name if kind else None):
        mistakes.add("decision.scale", text)
    if section.rows is None and has_no_rows(batchability.findings.get(Role.BASELINE, {}).get(output)):
        mistakes.add("decision.output", _no_rows(arranged))
    if any(_varies(finding.get(output)) for finding in batchability.findings.values()) and _has_places(kind):
        mistakes.add("decision.output", f"{output!r} has another length for each row; {VARYING_ADVICE}")
    for conflict in batchability.conflicts:
        mistakes.add("compressed", conflict)
    if section.rows is not None:
        contradictions(batchability, section.rows, output, mistakes.add)
    if mistakes:
        raise ConfigError(mistakes)
    set_output_axes(arranged.models, batchability.findings)


def _varies(finding: RowFinding | None) -> bool:
    return finding is not None and finding.varies


def _has_places(kind: DecisionKind | None) -> bool:
    """Whether a decision reads the same numbers of each row."""
    return kind is None or kind.name in KINDS_OF_PLACES


def _no_rows(arranged: RowArrangement) -> str:
    """The mistake of a deciding output without rows, where a request cannot be the row."""
    if any(map(endpoint_of, arranged.models.values())):
        return (
            f"{arranged.output!r} has no axis of rows, and a request can be a row for files only, not for an endpoint"
        )
    return f"{arranged.output!r} has no axis of rows, and the compressed model's has one; write compressed_tensors.read"


def _decision_output(
    section: config.ModelSection, kind: DecisionKind | None, baseline: Model, mistakes: Mistakes
) -> str:
    """The name of the output that decides; empty after a mistake."""
    if kind is not None:
        return kind.outputs[0]
    if not is_plain(section.decision):  # the kind could not be built
        return ""
    return find_decision_output(section.decision.output, baseline.outputs, mistakes.add)
