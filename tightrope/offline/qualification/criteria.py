"""The criteria of a qualification: those of the configuration, or the default ones, checked against the pair."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import MonitorDefinition, Need
from tightrope.monitors.qualification.cells import LimitProof
from tightrope.monitors.qualification.observed import CONFIDENT_AT
from tightrope.monitors.qualification.preregistration import criteria_digest
from tightrope.monitors.qualification.split import CHOOSING_SHARE
from tightrope.monitors.records import Role, Stream
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.config.qualification import CriterionSection, ProvenLimit, QualificationSection
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.inference.kinds.offers import CLASS_MONITORS, CLEAR_MONITOR, Offer
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.monitor_plan import offer_of

CLEAR_DISAGREEMENT, CONFIDENT_WRONG, FLIP_GAP = CLEAR_MONITOR.name, "confident_wrong", "flip_gap"
GAP_PROBE, MEMBERSHIP = "probe", "membership"
WHOLE_MODEL_CRITERIA = (GAP_PROBE, MEMBERSHIP)
SCENARIO_CRITERIA = (FLIP_GAP, *WHOLE_MODEL_CRITERIA)
"""Criteria of changed rows: cells of the rows themselves do not measure them."""

OWN_CRITERIA = (CLEAR_DISAGREEMENT, CONFIDENT_WRONG, *SCENARIO_CRITERIA)
"""Criteria of rows that are no monitors, or whose rows a statement fixes."""

COSTS = ("latency_p50", "latency_p99", "cold_start", "peak_memory", "file_size", "energy")

MODEL_LEVEL, SUBGROUP_LEVEL, CLASS_LEVEL = "model", "subgroups", "classes"
CLEAR_LIMITS = {
    MODEL_LEVEL: CLEAR_MONITOR.limit,
    SUBGROUP_LEVEL: round(CLEAR_MONITOR.limit * CLEAR_MONITOR.subgroup_factor, 12),
}
SUBGROUP_ACCURACY = 0.10
SMALL_GAP = 0.01

DEFAULT_LEVELS: Mapping[str, tuple[str, ...]] = {
    "disagreement": (MODEL_LEVEL, SUBGROUP_LEVEL),
    CLEAR_DISAGREEMENT: (),
    "class_miss": (CLASS_LEVEL,),
    "confidence": (MODEL_LEVEL,),
    "refusal_rate": (MODEL_LEVEL,),
    "refusal_persistence": (MODEL_LEVEL,),
    "accuracy": (MODEL_LEVEL,),
    "brier": (MODEL_LEVEL,),
    CONFIDENT_WRONG: (),
}
"""The criteria if none is written, with the levels of those that are monitors."""

LevelLimits = Mapping[str, tuple[float, LimitProof]]
"""The limit at each level, model, subgroups or classes, with what must be shown about it."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One criterion. ``monitor`` is the one that observes it, None for a criterion of its own; ``at`` is the confidence
    that counts; ``ratio`` and ``most`` are the limits of a cost.
    """

    name: str
    limits: LevelLimits = field(default_factory=dict)
    monitor: MonitorDefinition | None = None
    variants: tuple[str, ...] = ("",)
    at: float | None = None
    ratio: float | None = None
    most: float | None = None

    @property
    def needs_labels(self) -> bool:
        """Whether it is about being right."""
        return self.monitor is not None and self.monitor.stream is Stream.LABELS

    def document(self) -> dict[str, object]:
        """The criterion as a statement has it; a limit that must be proved is a number alone."""
        limits: dict[str, object] = {
            level: limit if proof is LimitProof.WITHIN else {"limit": limit, "proof": str(proof)}
            for level, (limit, proof) in self.limits.items()
        }
        others = {"at": self.at, "ratio": self.ratio, "most": self.most}
        return limits | {key: value for key, value in others.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CriteriaPlan:
    """All criteria of one model, fixed before any row is read. ``written`` tells whether the configuration has them:
    the default ones about labels are left out without labels. ``resolved`` is the section with every default, and
    ``digest`` covers it. ``left_out`` are the default criteria that do not apply to the decision, with the reasons.
    """

    criteria: tuple[Criterion, ...]
    written: bool
    section: QualificationSection
    resolved: Mapping[str, object]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The digest of the resolved criteria."""
        return criteria_digest(self.resolved)

    @property
    def alpha(self) -> float:
        """The probability with which a proof may be wrong."""
        return round(1 - self.section.confidence, 12)

    def asks(self, name: str) -> bool:
        """Tell whether there is such a criterion."""
        return any(criterion.name == name for criterion in self.criteria)


def plan_criteria(pair: ModelPair, settings: Settings) -> CriteriaPlan:
    """Resolve and check the criteria of a pair.

    Raises:
        ConfigError: with a line for each criterion that does not exist or does not apply.
    """
    model = settings.models[pair.name]
    section = model.qualification or QualificationSection()
    offer = offer_of(model, pair.models[Role.BASELINE], pair.output, pair.kind)
    resolver = _Resolver(pair, offer, section, has_refusal=model.refusal is not None)
    criteria = tuple(resolver.written() if section.criteria else resolver.defaults())
    if resolver.mistakes:
        raise ConfigError(resolver.mistakes)
    resolved = {
        "confidence": section.confidence,
        "criteria": {criterion.name: criterion.document() for criterion in criteria},
        "refusal": None if model.refusal is None else model.refusal.model_dump(mode="json", exclude={"action"}),
        "scenarios": msgspec.to_builtins(section.scenarios.model_dump(exclude_defaults=True), str_keys=True),
        "seed": section.seed,
        "split": CHOOSING_SHARE,
        "subgroups": subgroups_document(settings, pair.name),
        "unproven": section.unproven,
    }
    return CriteriaPlan(criteria, bool(section.criteria), section, resolved, resolver.left_out)


def subgroups_document(settings: Settings, model: str) -> dict[str, Any]:
    """The subgroups of a model and their codes, as a statement has them; an open end of a range is left out."""
    document = {}
    for attribute, section in settings.models[model].subgroups.items():
        written = section.model_dump(mode="json", exclude_defaults=True)
        document[attribute] = _finite(written)
    return document


def _finite(value: object) -> object:
    """The value without infinite numbers, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items() if each not in (float("inf"), float("-inf"))}
    return value


@dataclass(slots=True)
class _Resolver:
    pair: ModelPair
    offer: Offer
    section: QualificationSection
    has_refusal: bool
    mistakes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def defaults(self) -> Iterator[Criterion]:
        """The criteria if none is written, as far as the decision has what they need."""
        for name, levels in DEFAULT_LEVELS.items():
            if (reason := self._lacks(name)) is not None:
                if name not in CATALOGUE or not CATALOGUE[name].needs_refusal or self.has_refusal:
                    self.left_out[name] = reason
                continue
            if name in OWN_CRITERIA:
                yield self._own_default(name)
            else:
                limits = {level: (self._default_limit(name, level), LimitProof.WITHIN) for level in levels}
                if name == "accuracy" and self.pair.subgroups.scopes:
                    limits[SUBGROUP_LEVEL] = (SUBGROUP_ACCURACY, LimitProof.NOT_OVER)
                yield self._monitored(name, limits)

    def _own_default(self, name: str) -> Criterion:
        if name == CONFIDENT_WRONG:
            return Criterion(name, {MODEL_LEVEL: (SMALL_GAP, LimitProof.WITHIN)}, at=CONFIDENT_AT)
        return Criterion(name, {level: (limit, LimitProof.WITHIN) for level, limit in CLEAR_LIMITS.items()})

    def _default_limit(self, name: str, level: str) -> float:
        """The limit of the monitor in force, or the catalogue's."""
        rule = next((rule for rule in self.pair.plan.rules if rule.monitor.name == name), None)
        if rule is None:
            return self.offer.limits.get(name, CATALOGUE[name].limit)
        return float(rule.limits[1 if level == SUBGROUP_LEVEL and len(rule.limits) > 1 else 0])

    def written(self) -> Iterator[Criterion]:
        """The criteria of the configuration."""
        for name, section in self.section.criteria.items():
            if (problem := self._problem(name, section)) is not None:
                self.mistakes.append(f"models.{self.pair.name}.qualification.criteria.{name}: {problem}")
                continue
            limits = _limits_of(section)
            if name in COSTS:
                yield Criterion(name, ratio=section.ratio, most=section.most)
            elif name in OWN_CRITERIA:
                at = (section.at or CONFIDENT_AT) if name == CONFIDENT_WRONG else None
                yield Criterion(name, limits, at=at)
            else:
                yield self._monitored(name, limits)

    def _monitored(self, name: str, limits: LevelLimits) -> Criterion:
        monitor = CATALOGUE[name]
        return Criterion(name, limits, self.offer.adapted(monitor), self.offer.variants(monitor))

    def _problem(self, name: str, section: CriterionSection) -> str | None:
        limits = section.model, section.subgroups, section.classes
        if name in COSTS:
            is_cost = (section.ratio, section.most) != (None, None) and limits == (None,) * 3
            return None if is_cost else "is a cost; its limit is ratio or most"
        if name not in (*CATALOGUE, *OWN_CRITERIA):
            names = tuple(dict.fromkeys((*CATALOGUE, *OWN_CRITERIA, *COSTS)))
            return f"there is no such criterion; there are {', '.join(names)}{did_you_mean(names, name)}"
        if limits == (None,) * 3:
            return "is no cost; its limits are model, subgroups or classes"
        if name in WHOLE_MODEL_CRITERIA and limits[1:] != (None, None):
            return "is about the whole model; its limit is model"
        if section.classes is not None and name not in CLASS_MONITORS:
            return "is not about classes; its limits are model and subgroups"
        return self._lacks(name)

    def _lacks(self, name: str) -> str | None:
        """Say what the pair lacks for a criterion; None if it applies."""
        if name == FLIP_GAP:
            return None if self.section.scenarios.jitter else "needs scenarios, such as scenarios: {jitter: {0: 1.0}}"
        if name in WHOLE_MODEL_CRITERIA:
            return None
        if name in OWN_CRITERIA:
            need = Need.MARGIN if name == CLEAR_DISAGREEMENT else Need.CONFIDENCE
            return None if need in self.offer.needs else f"needs a {need}, which the decision does not have"
        monitor = CATALOGUE[name]
        if missing := set(monitor.needs) - self.offer.needs:
            return f"needs {', '.join(sorted(missing))}, which the decision does not have"
        if monitor.needs_refusal and not self.has_refusal:
            return "needs a refusal"
        return None if self.offer.variants(monitor) else "has nothing to watch for this number of classes"


def _limits_of(section: CriterionSection) -> dict[str, tuple[float, LimitProof]]:
    written = {MODEL_LEVEL: section.model, SUBGROUP_LEVEL: section.subgroups, CLASS_LEVEL: section.classes}
    return {
        level: (limit.limit, LimitProof(limit.proof)) if isinstance(limit, ProvenLimit) else (limit, LimitProof.WITHIN)
        for level, limit in written.items()
        if limit is not None
    }
