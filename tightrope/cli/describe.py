"""Description of a checked model pair, to read before it is started."""

from collections.abc import Mapping, Sequence

import numpy as np

from tightrope.monitors.clear_rows.clear_margin import MARGIN_ROWS, ClearDisagreement
from tightrope.monitors.compare import Decision
from tightrope.monitors.definitions.definition import Reach
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.intervals.estimates import rows_to_pass
from tightrope.monitors.records import MODEL_SCOPE, Role
from tightrope.service.adapters.open_inference.model import endpoint_of
from tightrope.service.adapters.ports import Model
from tightrope.service.config.models import ModelSection
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.routing.qualification_gate import Qualification

WRITTEN, NOT_WRITTEN, OF_STATEMENT_FILE = "written", "default", "statement"
"""Sources of a setting."""

MAX_SHOWN = 3
"""Classes with limits of their own that are named."""


def describe(pair: ModelPair, section: ModelSection) -> dict[str, object]:
    """Describe a model: artefacts, signature, mode, monitors with their limits, each with its source, and the rows that
    each needs before it can pass.
    """
    plan = pair.plan
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if plan.armed else "advisory",
        "mode from": _mode_source(pair, section),
        **_qualification(pair),
        "baseline": _artefact(pair.models[Role.BASELINE]),
        "compressed": _artefact(pair.models[Role.COMPRESSED]),
        "inputs": [_signature(spec) for spec in pair.declared_inputs],
        "outputs": [_signature(spec) for spec in pair.outputs],
        "decides by": f"{', '.join(pair.deciding)} ({pair.kind.name if pair.kind else _scale(pair.decision)})",
        **({"notes": list(pair.notes)} if pair.notes else {}),
        "requests": pair.batchability.describe(),
        "subgroups": list(plan.scopes[1:]),
        "sampling": f"{pair.sampler.rate:.0%} of requests"
        + "".join(f", {floor:.0%} of {scope}" for scope, floor in pair.sampler.floors.items()),
        "monitors": [_limits(rule, section, pair.qualification) for rule in plan.rules],
        "can pass after": [f"{rows:,} rows of a scope: {name}" for name, rows in _rows_to_pass(plan.rules).items()],
        "false alarms": f"at most one in {plan.budget.samples:.3g} samples, all monitors and subgroups together",
    }


def _rows_to_pass(rules: Sequence[Rule]) -> dict[str, int]:
    """The rows after which each monitor can pass in every scope that it watches."""
    rows: dict[str, int] = {}
    for rule in rules:
        needed = int(max(rows_to_pass(rule, {})[rule.watched])) + 1
        rows[rule.monitor.name] = max(needed, rows.get(rule.monitor.name, 0))
    return rows


def _scale(decision: Decision) -> str:
    theirs = decision.compressed_scale
    return str(decision.scale) if theirs is None else f"{decision.scale}, of the compressed model {theirs}"


def _artefact(model: Model) -> str:
    """Return a model's digest; for a remote model also its address, and why it is unavailable if it is."""
    endpoint = endpoint_of(model)
    if endpoint is None:
        return model.digest
    away = f" (unreachable: {endpoint.breaker.open_reason})" if endpoint.breaker.open_reason else ""
    return f"{model.digest} at {endpoint.where}{away}"


def _qualification(pair: ModelPair) -> dict[str, object]:
    """Return by which statement the model serves, until when, and for whom not."""
    found = pair.qualification
    if found is None:
        return {}
    if found.objections or found.predicate is None:
        return {"qualification": [f"{found.verdict}: {each}" for each in found.objections]}
    lines = [f"{found.verdict} until {found.predicate.made.expires.date()}, by {found.file} ({found.digest[:12]})"]
    lines += [f"withheld: {', '.join(found.withheld)}"] if found.withheld else []
    lines += [
        f"answers of {role}: {far:.3g} from the golden ones (bound {bound:.3g})"
        for role, (far, bound) in found.numerics.items()
    ]
    lines += [found.new_host_class] if found.new_host_class else []
    return {"qualification": lines}


def _mode_source(pair: ModelPair, section: ModelSection) -> str:
    if section.mode:
        return WRITTEN
    if pair.plan.armed and section.planned_mode != "armed":
        return OF_STATEMENT_FILE
    cause = "limits are written" if section.planned_mode == "armed" else "neither a mode nor a limit is written"
    return f"{NOT_WRITTEN}, because {cause}; a model that was armed before stays armed"


def _limits(rule: Rule, section: ModelSection, found: Qualification | None) -> str:
    """Return a monitor's name and its limits, each with its source: for the model and for subgroups, where it watches
    them.
    """
    name = rule.monitor.name
    nothing: Mapping[str, float] = {}
    stated = (found.limits, found.subgroup_limits) if found and not found.objections else (nothing, nothing)
    written: tuple[Mapping[str, float | None], ...] = section.limits, section.subgroup_limits
    own, subgroups = (
        WRITTEN if name in given else OF_STATEMENT_FILE if name in theirs else NOT_WRITTEN
        for given, theirs in zip(written, stated, strict=True)
    )
    shown = [f"{rule.limits[0]:g} ({MODEL_SCOPE}, {own}{_golden_cells(rule)})"] if rule.watched[0] else []
    shown += [f"{rule.limits[1]:g} (subgroups, {subgroups}{_own_classes(rule)})"] if rule.watched[1:].any() else []
    shown += [] if rule.has_cell[:, 0].any() else [f"none ({MODEL_SCOPE}: every class is seen as disagreement)"]
    return f"{name} <= {', '.join(shown)}{_clear_rows(rule)}"


def _clear_rows(rule: Rule) -> str:
    """Return which rows a monitor of clear rows counts, in words."""
    if not isinstance(rule.monitor.observe, ClearDisagreement):
        return ""
    margin = rule.monitor.observe.margin
    above = f"the 10 % quantile of the first {MARGIN_ROWS:,} rows" if margin is None else f"{margin:.3g}"
    return f"; margin above {above}"


def _golden_cells(rule: Rule) -> str:
    """Return the classes that the golden rows gave another limit than the others, or no cell at the model, in words."""
    own, limits = rule.has_cell[:, 0], rule.cell_limits[:, 0]
    above = [f"{rule.variant_name(index)} {limits[index]:g}" for index in np.argsort(-limits, kind="stable").tolist()]
    raised = int((limits > rule.limits[0]).sum())
    others = f" and {raised - MAX_SHOWN:,} more" if raised > MAX_SHOWN else ""
    words = [f"; by the golden rows {', '.join(above[: min(raised, MAX_SHOWN)])}{others}"] if raised else []
    missing = [rule.variant_name(index) for index in np.flatnonzero(~own).tolist()]
    words += [f"; {', '.join(missing)}: seen as disagreement"] if missing else []
    return "".join(words)


def _own_classes(rule: Rule) -> str:
    """Return the classes that have cells in subgroups alone, in words, with those limits that the golden rows gave."""
    if rule.monitor.reach is not Reach.SUBGROUPS or rule.monitor.class_of is None:
        return ""
    limits = rule.cell_limits[:: rule.lanes, 1]
    own = [
        f"{name} {limit:g}" if limit != rule.limits[1] else name
        for name, limit in zip(rule.variants, limits, strict=True)
    ]
    return f"; {', '.join(own)}"


def _signature(spec: TensorSpec) -> str:
    return f"{spec.name} {spec.datatype}{list(spec.shape)}"
