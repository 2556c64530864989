"""The monitoring plan of one model, from its settings: monitors with their limits, budget, policy."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tightrope.monitors.budget import Budget, MonitorSpec, build_rules
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_FACTOR, MonitorDefinition, Reach
from tightrope.monitors.compare import Scale
from tightrope.monitors.detector_bank import Rule
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.latency import LatencyObjective
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Role, Stream
from tightrope.monitors.safemode import Policy
from tightrope.service.adapters.ports import Model
from tightrope.service.config import models as config
from tightrope.service.config.loader import Settings
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.tensors import TensorSpec

BINARY_CLASSES = 2

MAX_DEFAULT_SUBGROUP_LIMIT = 0.7
"""Upper bound of a default that is doubled for subgroups: beyond it the test has no alternative left."""

UNDIGESTED_SETTINGS = (
    "baseline",
    "compressed",
    "golden",
    "version",
    "mode",
    "noise_share",
    "latency",
    "fallback_seconds",
    "payloads",
    "allow_nan",
)
"""Settings that evidence does not depend on; the artefacts have digests of their own."""
TOLD_SETTINGS = ("mode", "noise_share", "latency", "fallback_seconds")
"""Settings that evidence does not depend on and judgement does: a change of them is told, too."""
GATEWAY_SAFE_MODE = ("silent_seconds", "when_silent")
"""Settings of safe mode that concern gateways alone."""
DIGESTED_RUNTIME = frozenset({"providers", "provider_options", "optimization"})
"""Runtime settings that may change a model's answers."""


def build_plan(
    name: str, settings: Settings, models: dict[Role, Model], subgroups: Subgroups, sampler: Sampler, output: str
) -> Plan:
    """Build the plan of one model; ``output`` is the one that decides."""
    section, alarms, safe_mode = settings.models[name], settings.alarms, settings.safe_mode
    scopes = (MODEL_SCOPE, *subgroups.scopes)
    classes = _class_count(next(spec for spec in models[Role.BASELINE].outputs if spec.name == output))
    monitors = [_monitor_spec(section, monitor, len(subgroups.scopes), classes) for monitor in CATALOGUE.values()]
    budget = Budget(alarms.samples_per_false_alarm)
    digests = {role: model.digest for role, model in models.items()}
    rules = build_rules([spec for spec in monitors if spec is not None], budget, safe_mode.recovery_ratio)
    return Plan(
        model=name,
        baseline_digest=digests[Role.BASELINE],
        compressed_digest=digests[Role.COMPRESSED],
        scopes=scopes,
        rates=np.array([sampler.scope_rate(scope) for scope in scopes]),
        rules=rules,
        budget=budget,
        policy=Policy(
            min_dwell=safe_mode.min_dwell_seconds,
            flap_window=safe_mode.flap_window_seconds,
            max_flaps=safe_mode.max_flaps,
            recovery_ratio=safe_mode.recovery_ratio,
            recovery_samples=safe_mode.recovery_samples,
        ),
        armed=section.mode == "armed",
        repeats=section.repeats,
        blind_seconds=safe_mode.blind_seconds,
        objective=LatencyObjective(section.latency.seconds, section.latency.limit) if section.latency else None,
        label_horizon=section.labels.horizon_seconds if section.labels else 0.0,
        digest=_settings_digest(section, settings, digests),
        settings=_judged_settings(section, settings, rules),
        always_baseline=subgroups.always_baseline,
    )


def _monitor_spec(
    section: config.ModelSection, monitor: MonitorDefinition, subgroups: int, classes: int
) -> MonitorSpec | None:
    """The specification of one monitor; None where it is switched off or does not apply."""
    inapplicable = monitor.needs_refusal and section.refusal is None
    inapplicable = inapplicable or (monitor.needs_classes and section.decision.scale is Scale.REGRESSION)
    inapplicable = inapplicable or (monitor.stream is Stream.LABELS and section.labels is None)
    inapplicable = inapplicable or (monitor.reach is Reach.SUBGROUPS and not subgroups)
    limit = section.limits.get(monitor.name, monitor.limit)
    variants = monitor.variants(classes)
    if inapplicable or limit is None or not variants:
        return None
    default = min(SUBGROUP_FACTOR * limit, MAX_DEFAULT_SUBGROUP_LIMIT)
    subgroup_limit = section.subgroup_limits.get(monitor.name, default)
    return MonitorSpec(monitor, variants, np.array([limit, *[subgroup_limit] * subgroups]), lanes=section.lanes)


def _class_count(spec: TensorSpec) -> int:
    """Classes of the decision output, where one column is the probability of class 1; 0 if the number is free."""
    width = next((side for side in spec.shape[1:] if side != 1), 1)
    return BINARY_CLASSES if width == 1 else max(width, 0)


def _settings_digest(section: config.ModelSection, settings: Settings, digests: dict[Role, str]) -> str:
    """A digest of everything that evidence depends on: another one starts its evidence anew."""
    digested = _digested_settings(section, settings)
    return hashlib.sha256(json.dumps([digested, digests], sort_keys=True).encode()).hexdigest()


def _judged_settings(section: config.ModelSection, settings: Settings, rules: Sequence[Rule]) -> dict[str, object]:
    """The settings of judgement by dotted name, with the limits in force: a monitor that is off has none."""
    others = section.model_dump(mode="json", include=set(TOLD_SETTINGS))
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
    for key in ("runtime", "compressed_runtime"):
        runtime = digested[key] or {}
        digested[key] = {name: value for name, value in runtime.items() if name in DIGESTED_RUNTIME}
    return digested
