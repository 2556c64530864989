"""The monitoring plan of one model, from its settings: monitors with their limits, budget, policy."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tightrope.monitors.budget import EVIDENCE_VERSION, LABEL_EVIDENCE_VERSION, Budget, build_rules
from tightrope.monitors.definitions.definition import SUBGROUP_FACTOR
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.hunter.search import SearchPlan
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.kinds.seam import DecisionKind
from tightrope.monitors.latency import LatencyObjective
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Role
from tightrope.monitors.safemode import Policy
from tightrope.service.adapters.ports import Model
from tightrope.service.config import models as config
from tightrope.service.config.loader import SafeModeSection, Settings
from tightrope.service.inference.kinds.askable import askable_classes
from tightrope.service.inference.kinds.calibration_cells import (
    CURVE_NEEDS,
    bins_document,
    curve_bins,
)
from tightrope.service.inference.kinds.class_cells import (
    MAX_DEFAULT_SUBGROUP_LIMIT,
    cells_document,
)
from tightrope.service.inference.kinds.kind_building import option_digests
from tightrope.service.inference.kinds.monitor_specs import known_margin, label_draw, margin_document, monitor_specs
from tightrope.service.inference.kinds.offers import (
    LOSS_MONITOR,
    Offer,
    class_count,
    kind_offer,
    plain_offer,
)
from tightrope.service.inference.subgroups import Subgroups

UNDIGESTED_SETTINGS = (
    "baseline",
    "compressed",
    "baseline_tensors",
    "compressed_tensors",
    "probe",
    "golden",
    "version",
    "mode",
    "class_gain",
    "noise_share",
    "latency",
    "fallback_seconds",
    "payloads",
    "allow_nan",
    "columns",
    "hunter",
    "owner",
    "page",
    "redact",
    "qualification",
    "review",
)
"""Settings that evidence does not depend on; the artefacts and their tensors have digests of their own, and the least
probability of a review's cap is digested with the labels.
"""
TOLD_SETTINGS = ("mode", "class_gain", "noise_share", "latency", "fallback_seconds")
"""Settings that evidence does not depend on and judgement does: a change of them is told, too."""
GATEWAY_SAFE_MODE = ("silent_seconds", "when_silent")
"""Settings of safe mode that concern gateways alone."""


def build_plan(
    name: str,
    settings: Settings,
    models: dict[Role, Model],
    subgroups: Subgroups,
    sampler: Sampler,
    output: str,
    kind: DecisionKind | None = None,
    columns: tuple[InputColumn, ...] = (),
    golden: Comparisons | None = None,
    margin: float | None = None,
) -> Plan:
    """Build the plan of one model; ``output`` is the one that decides, by ``kind`` unless it is plain. ``columns`` are
    those of the inputs; ``golden`` has the compared golden rows; ``margin`` is that of clear rows in a statement.
    """
    section, alarms, safe_mode = settings.models[name], settings.alarms, settings.safe_mode
    scopes = (MODEL_SCOPE, *subgroups.scopes)
    offer = offer_of(section, models[Role.BASELINE], output, kind).choosing(section.decision, golden)
    curves = curve_bins(golden, offered=section.labels is not None and offer.needs >= CURVE_NEEDS)
    specs = monitor_specs(section, subgroups.scopes, offer, golden, curves, known_margin(margin, golden))
    chosen = bins_document(curves) | margin_document(specs)
    digests = {role: model.digest for role, model in models.items()}
    rules = build_rules(specs, safe_mode.recovery_ratio)
    return Plan(
        model=name,
        baseline_digest=digests[Role.BASELINE],
        compressed_digest=digests[Role.COMPRESSED],
        scopes=scopes,
        rates=np.array([sampler.scope_rate(scope) for scope in scopes]),
        rules=rules,
        budget=Budget(alarms.samples_per_false_alarm),
        policy=_policy(safe_mode),
        armed=section.planned_mode == "armed",
        keeps_armed=section.mode is None,
        repeats=section.repeats,
        unit=EvidenceUnit(section.independence, section.caller is not None),
        blind_seconds=safe_mode.blind_seconds,
        objective=LatencyObjective(section.latency.seconds, section.latency.limit) if section.latency else None,
        label_horizon=section.labels.horizon_seconds if section.labels else 0.0,
        label_draw=label_draw(section),
        digest=_settings_digest(section, settings, digests, cells_document(specs, offer.chosen) | chosen),
        settings=_judged_settings(section, settings, rules) | chosen,
        always_baseline=subgroups.always_baseline,
        search=_search_plan(section, offer, columns, scopes[1:]),
        curves=curves,
        specs=tuple(specs),
        askable=askable_classes(name, section, offer),
    )


def offer_of(section: config.ModelSection, baseline: Model, output: str, kind: DecisionKind | None) -> Offer:
    """The monitors that the decision allows."""
    if kind is not None:
        return kind_offer(kind, section.decision)
    spec = next(spec for spec in baseline.outputs if spec.name == output)
    return plain_offer(section.decision.scales[Role.BASELINE], class_count(spec))


def _search_plan(
    section: config.ModelSection, offer: Offer, columns: tuple[InputColumn, ...], scopes: tuple[str, ...]
) -> SearchPlan | None:
    """The search for undeclared groups, at the limit of a subgroup; None where it is off, or nothing can be searched:
    without disagreement, or with lanes, between which neighbouring rows are parted.
    """
    limit = section.limits.get(LOSS_MONITOR.name, offer.limits.get(LOSS_MONITOR.name, LOSS_MONITOR.limit))
    if section.hunter == "off" or limit is None or section.lanes > 1:
        return None
    default = min(SUBGROUP_FACTOR * limit, MAX_DEFAULT_SUBGROUP_LIMIT)
    found_limit, arms = section.subgroup_limits.get(LOSS_MONITOR.name, default), section.hunter == "arm"
    return SearchPlan(columns, scopes, found_limit, arms=arms)


def _policy(safe_mode: SafeModeSection) -> Policy:
    return Policy(
        min_dwell=safe_mode.min_dwell_seconds,
        flap_window=safe_mode.flap_window_seconds,
        max_flaps=safe_mode.max_flaps,
        recovery_ratio=safe_mode.recovery_ratio,
        recovery_samples=safe_mode.recovery_samples,
    )


def _settings_digest(
    section: config.ModelSection, settings: Settings, digests: dict[Role, str], cells: Mapping[str, object]
) -> str:
    """A digest of everything that evidence depends on: another one starts its evidence anew. ``cells`` are those of
    classes that are not the default ones.
    """
    digested = _digested_settings(section, settings)
    version = EVIDENCE_VERSION if section.labels is None else [EVIDENCE_VERSION, LABEL_EVIDENCE_VERSION]
    evidence = [version, digested, digests, *([cells] if cells else [])]
    return hashlib.sha256(json.dumps(evidence, sort_keys=True).encode()).hexdigest()


def _judged_settings(section: config.ModelSection, settings: Settings, rules: Sequence[Rule]) -> dict[str, object]:
    """The settings of judgement by dotted name, with the limits in force: a monitor that is off has none."""
    others = section.model_dump(mode="json", include=set(TOLD_SETTINGS)) | {"mode": section.planned_mode}
    limits = {rule.monitor.name: float(rule.limits[0]) for rule in rules}
    subgroup_limits = {rule.monitor.name: float(rule.limits[1]) for rule in rules if len(rule.limits) > 1}
    judged = _digested_settings(section, settings) | others | {"limits": limits, "subgroup_limits": subgroup_limits}
    return dict(_dotted_names(judged))


def _dotted_names(section: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield each setting; an infinite bound is a text, because JSON has no infinity."""
    for name, value in section.items():
        if isinstance(value, dict) and not prefix.endswith(".values."):
            yield from _dotted_names(value, f"{prefix}{name}.")
        elif isinstance(value, dict):  # a range of codes
            yield f"{prefix}{name}", {bound: str(number) for bound, number in value.items()}
        else:
            yield f"{prefix}{name}", value


def _digested_settings(section: config.ModelSection, settings: Settings) -> dict[str, Any]:
    digested = section.model_dump(mode="json")
    safe_mode = settings.safe_mode.model_dump(exclude=set(GATEWAY_SAFE_MODE))
    digested |= {"alarms": settings.alarms.model_dump(), "safe_mode": safe_mode}
    for key in UNDIGESTED_SETTINGS:
        digested.pop(key)
    # Options of kinds that are not written would change the digest of every plain model.
    written = section.decision.model_dump(mode="json", exclude_none=True)
    digested["decision"] = {"output": None} | written | option_digests(section.decision)
    if floor := label_draw(section).floor:
        digested["labels"] = {**digested["labels"], "least_probability": floor}
    for key, runtime in (("runtime", section.runtime), ("compressed_runtime", section.compressed_runtime)):
        digested[key] = runtime.answer_options if runtime else {}
    return digested
