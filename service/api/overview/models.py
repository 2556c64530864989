"""The entry of one model: its facts, its headline, its scopes and all else that people see of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tightrope.monitors.records import MODEL_SCOPE, Role
from tightrope.monitors.scopes import OTHER_VALUE
from tightrope.monitors.status.groups import GroupStatus
from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.prometheus.catalogue import DROP_REASONS
from tightrope.service.api.overview import headlines, sight_states, trail
from tightrope.service.api.overview.documents import (
    FoundEntry,
    ModelCard,
    ModelEntry,
    PartEntry,
    QualificationEntry,
    ScopeEntry,
    SightEntry,
    TrafficEntry,
    UnseenEntry,
)
from tightrope.service.api.overview.event_words import TrailLine
from tightrope.service.api.overview.facts import FULL, Freshness, ModelFacts, ScopeFacts
from tightrope.service.api.overview.headlines import Headline
from tightrope.service.api.overview.levels import BLIND
from tightrope.service.api.overview.scopes import ScopeSource, group_order, scope_entry, scope_facts, with_checks
from tightrope.service.api.overview.sources import ModelSource, scope_sources

MAX_CHECKED = 40
"""The worst groups, whose checks are in the overview."""

EXPIRES_SOON = timedelta(days=14)
DEPLOYMENTS = frozenset({"deployed", "rolled-back"})


@dataclass(frozen=True, slots=True)
class DescribedModel:
    """A model with its scopes, the worst group first, and its headline."""

    source: ModelSource
    scopes: Sequence[ScopeSource]
    entries: Sequence[ScopeEntry]
    facts: ModelFacts
    headline: Headline


def describe(source: ModelSource, now: float) -> DescribedModel:
    """Describe a model at ``now``, in seconds since the epoch."""
    scopes = scope_sources(source)
    entries = [scope_entry(each) for each in scopes]
    facts = _facts(source, [scope_facts(*each) for each in zip(scopes, entries, strict=True)], now)
    pairs = list(zip(scopes, entries, strict=True))
    pairs[1:] = sorted(pairs[1:], key=lambda each: group_order(each[1]))
    return DescribedModel(
        source, [each for each, _ in pairs], [each for _, each in pairs], facts, headlines.describe_model(facts)
    )


def model_card(model: DescribedModel) -> ModelCard:
    """A model in one line."""
    return {
        "name": model.source.name,
        "level": model.headline.level,  # type: ignore[typeddict-item]
        "headline": model.headline.headline,
        "answers": model.entries[0]["answers"],
        "groups": len(model.entries) - 1,
        "moved": len(model.facts.moved),
        "evidence": max(entry["evidence"] for entry in model.entries),
    }


def model_entry(
    model: DescribedModel, report: str | None, cost: str = "", incidents: Sequence[Incident] = ()
) -> ModelEntry:
    """All of a model; ``report`` is the path of its newest drift report, ``cost`` what it costs, in a sentence, and
    ``incidents`` are its own, oldest first.
    """
    source, facts = model.source, model.facts
    lines = source.lines
    groups = [
        with_checks(entry, each) if index < MAX_CHECKED else entry
        for index, (each, entry) in enumerate(zip(model.scopes[1:], model.entries[1:], strict=True))
    ]
    deployed = next((line.at for line in reversed(lines) if line.kind in DEPLOYMENTS), None)
    models = source.pair.models
    return {
        "name": source.name,
        "owner": source.pair.owner,
        "level": model.headline.level,  # type: ignore[typeddict-item]
        "headline": model.headline.headline,
        "sentence": model.headline.sentence,
        "armed": source.armed,
        "state": facts.everyone.state,
        "answers": model.entries[0]["answers"],
        "blind": model.headline.level == BLIND,
        "reason": source.engine.router.explain(source.name),
        "full": {"digest": models[Role.BASELINE].digest, "since": None},
        "small": {"digest": models[Role.COMPRESSED].digest, "since": deployed},
        "traffic": _traffic(source),
        "cost": cost,
        "sight": _sight(source, facts),
        "everyone": with_checks(model.entries[0], model.scopes[0]),
        "groups": groups,
        "unseen": _unseen(model.entries[1:]),
        "found": [_found_entry(each) for each in source.found],
        "qualification": _qualification(source),
        "history": trail.history(lines, incidents),
        "moves": trail.moves(lines),
        "report": report,
        "incident": next((each.id for each in incidents if each.closed is None), None),
    }


def _facts(source: ModelSource, scopes: Sequence[ScopeFacts], now: float) -> ModelFacts:
    router, name, sight = source.engine.router, source.name, source.sight
    everyone = scopes[0]
    latest = next((line for line in reversed(source.lines) if line.moved and line.scope == MODEL_SCOPE), None)
    return ModelFacts(
        name=name,
        everyone=everyone,
        groups=tuple(each for each in scopes[1:] if not each.scope.endswith(f"={OTHER_VALUE}")),
        armed=source.armed,
        compared=source.progress["seen"] + source.progress["pending"],
        freshness=Freshness(sight.waiting, sight.waiting_seconds, sight.heard_seconds, sight.limit),
        overlay=router.blindness(name),
        blind=everyone.state != "normal" and _is_blind(latest),
        judge_missing=bool(router.judge_missing(name)),
        distrusted=router.distrust,
        unqualified=router.unqualified(name),
        starved=MODEL_SCOPE in router.unseen_scopes(name),
        unknown=router.routes(name).epoch < 0 and everyone.answers == FULL,
        trouble=source.trouble(),
        capacity=source.engine.rationing.share(name),
        found=tuple(each.text for each in source.found if not each.watched),
        expires=_expiry_words(source, now),
    )


def _is_blind(latest: TrailLine | None) -> bool:
    return latest is not None and latest.kind == "blind"


def _traffic(source: ModelSource) -> TrafficEntry:
    total, share = source.per_second(), source.full_share()
    return {
        "requests_per_second": None if total is None else round(total, 2),
        "full_per_second": None if total is None or share is None else round(total * share, 2),
        "full_share": share,
    }


def _sight(source: ModelSource, facts: ModelFacts) -> SightEntry:
    sight, name = source.sight, source.name
    dead, stuck = sight_states.judge_is_silent(facts), sight_states.worker_is_silent(facts)
    last = round(source.at - sight.judged_seconds, 1) if source.progress["seen"] + source.progress["pending"] else None
    judge: PartEntry = {
        "waiting": sight.waiting if dead else 0,
        "last": last,
        "silent_seconds": round(sight.heard_seconds, 1) if dead else 0.0,
        "ok": not dead,
    }
    worker: PartEntry = {
        "waiting": 0 if dead else sight.waiting,
        "last": last,
        "silent_seconds": round(sight.waiting_seconds, 1) if stuck else 0.0,
        "ok": not stuck,
    }
    rates = source.rates
    return {
        "sampled_share": source.pair.sampler.rate,
        "dropped": int(sum(rates.total("samples_dropped", name, reason) for reason in DROP_REASONS)),
        "compared": source.progress["seen"] + source.progress["pending"],
        "worker": worker,
        "judge": judge,
        "blind_after_seconds": sight.limit or None,
        "baseline_contradictions": source.progress["noise"],
        "dependent": source.progress["dependent"],
    }


def _unseen(entries: Sequence[ScopeEntry]) -> list[UnseenEntry]:
    return [
        {"scope": each["scope"], "title": each["title"], "rows": each["unseen"][0], "needed": each["unseen"][1]}
        for each in entries
        if each["unseen"] and not each["scope"].endswith(f"={OTHER_VALUE}")
    ]


def _found_entry(found: GroupStatus) -> FoundEntry:
    return {
        "title": found.words,
        "says": found.text,
        "rate": found.now.mean,
        "range": [round(found.now.lower, 4), round(found.now.upper, 4)],
        "limit": found.limit,
        "share": round(found.share, 4),
        "at": found.time,
        "scope": found.scope or None,
        "declared": found.watched,
        "declare": found.declaration or None,
    }


def _qualification(source: ModelSource) -> QualificationEntry | None:
    found = source.pair.qualification
    if found is None:
        return None
    expires = found.predicate.made.expires if found.predicate else None
    unqualified = source.engine.router.unqualified(source.name)
    objections = list(found.objections) or ([unqualified] if unqualified else [])
    until = f" until {expires:%Y-%m-%d}" if expires else ""
    withheld = f"; not proved for {len(found.withheld)} groups" if found.withheld else ""
    says = f"Not qualified: {'; '.join(objections)}" if objections else f"{found.verdict}{until}{withheld}".capitalize()
    return {
        "verdict": found.verdict,
        "says": says,
        "expires": expires.timestamp() if expires else None,
        "statement": found.digest,
        "withheld": list(found.withheld),
        "objections": objections,
    }


def _expiry_words(source: ModelSource, now: float) -> str:
    """When the qualification ends, where that is soon."""
    found = source.pair.qualification
    if found is None or found.predicate is None or found.objections:
        return ""
    expires = found.predicate.made.expires
    left = expires - datetime.fromtimestamp(now, UTC)
    if left > EXPIRES_SOON:
        return ""
    return f"{'has ended' if left <= timedelta() else 'ends'} on {expires:%Y-%m-%d}"
