"""The plan of one model's watch, from its settings: questions with their limits, budget, policy."""

import hashlib
import json

import numpy as np

from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE, SUBGROUP_FACTOR, Question, Reach
from tightrope.monitors.compare import Scale
from tightrope.monitors.latency import Objective
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Role, Stream
from tightrope.monitors.safemode import Policy
from tightrope.monitors.sampling import Sampler
from tightrope.service.adapters.ports import Model
from tightrope.service.config import models as config
from tightrope.service.config.loader import Settings
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.tensors import TensorSpec

MATRIX = 2
HIGHEST_SUBGROUP_LIMIT = 0.7
"""A doubled default stops here: beyond it no alternative is left to bet on."""

UNTOLD = (
    "baseline",
    "compressed",
    "golden",
    "version",
    "mode",
    "noise_share",
    "latency",
    "fallback_seconds",
    "payloads",
)
"""Settings that evidence does not depend on; the artefacts speak through their own digests."""
ANSWERING = frozenset({"providers", "provider_options", "optimization"})
"""Of how a model is run, what may change its answers."""


def _ask(of: config.Model, question: Question, subgroups: int, classes: int) -> Ask | None:
    """One monitor, or None where it is switched off or cannot be asked."""
    unasked = question.needs_refusal and of.refusal is None
    unasked = unasked or (question.needs_classes and of.decision.scale is Scale.REGRESSION)
    unasked = unasked or (question.stream is Stream.LABELS and of.labels is None)
    unasked = unasked or (question.reach is Reach.SUBGROUPS and not subgroups)
    limit = of.limits.get(question.name, question.limit)
    variants = question.variants(classes)
    if unasked or limit is None or not variants:
        return None
    apart = of.subgroup_limits.get(question.name, min(SUBGROUP_FACTOR * limit, HIGHEST_SUBGROUP_LIMIT))
    return Ask(question, variants, np.array([limit, *[apart] * subgroups]), lanes=of.lanes)


def _classes(spec: TensorSpec) -> int:
    """How many classes the decision output has; one column is the probability of class 1. 0 where it is not told."""
    width = spec.shape[1] if len(spec.shape) == MATRIX else 1
    return MATRIX if width == 1 else max(width, 0)


def plan_of(
    name: str, settings: Settings, models: dict[Role, Model], subgroups: Subgroups, sampler: Sampler, output: str
) -> Plan:
    """What is watched of one model, and how."""
    of, alarms, back = settings.models[name], settings.alarms, settings.safe_mode
    scopes = (MODEL_SCOPE, *subgroups.scopes)
    classes = _classes(next(spec for spec in models[Role.BASELINE].outputs if spec.name == output))
    asks = [_ask(of, question, len(subgroups.scopes), classes) for question in CATALOGUE.values()]
    budget = Budget(alarms.samples_per_false_alarm)
    told = of.model_dump(mode="json") | {"alarms": alarms.model_dump(), "safe_mode": back.model_dump()}
    digests = {role: model.digest for role, model in models.items()}
    for key in UNTOLD:
        told.pop(key)
    for key in ("runtime", "compressed_runtime"):
        told[key] = {name: value for name, value in (told[key] or {}).items() if name in ANSWERING}
    return Plan(
        model=name,
        baseline_digest=digests[Role.BASELINE],
        compressed_digest=digests[Role.COMPRESSED],
        scopes=scopes,
        rates=np.array([sampler.scope_rate(scope) for scope in scopes]),
        rules=rules([ask for ask in asks if ask is not None], budget, back.recovery_ratio),
        budget=budget,
        policy=Policy(
            min_dwell=back.min_dwell_seconds,
            flap_window=back.flap_window_seconds,
            max_flaps=back.max_flaps,
            recovery_ratio=back.recovery_ratio,
            recovery_samples=back.recovery_samples,
        ),
        armed=of.mode == "armed",
        repeats=of.repeats,
        blind_seconds=back.blind_seconds,
        objective=Objective(of.latency.seconds, of.latency.limit) if of.latency else None,
        label_horizon=of.labels.horizon_seconds if of.labels else 0.0,
        digest=hashlib.sha256(json.dumps([told, digests], sort_keys=True).encode()).hexdigest(),
    )
