"""The entry of one scope, from its verdicts, its mode and what moved it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tightrope.monitors.intervals import words
from tightrope.monitors.records import Outcome
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.verdict import Verdict
from tightrope.service.api.overview.documents import CheckEntry, ScopeEntry
from tightrope.service.api.overview.event_words import MACHINE_ACTORS, TrailLine
from tightrope.service.api.overview.facts import FULL, SMALL, ScopeFacts
from tightrope.service.api.overview.phrases import (
    MONITOR_TITLES,
    finding,
    oriented,
    rate_label,
    scope_parts,
    scope_title,
)

NO_COMPARISONS = frozenset({"sight", "latency"})
"""Verdicts that are no comparison of the two models."""

LEADING_MONITOR = "disagreement"
"""The monitor that is shown of a scope in which nothing is off."""

SHOWN_EVIDENCE = 0.2
"""The share of an alarm's evidence from which another monitor is shown instead."""

_RANKS = {str(ModeState.LATCHED): 4.0, str(ModeState.SAFE): 3.0}
_HELD_RANK, _MOST_EXCESS = 2.0, 0.2


@dataclass(frozen=True, slots=True)
class ScopeSource:
    """All that is known of a scope: its ``mode``, the model that ``answers``, its ``verdicts``, its compared rows and
    share of the requests. ``moved`` is the event that made its mode, ``alarm`` the alarm that did (None: none is kept);
    ``cause`` is why the full model answers it for another reason (empty: none), and ``follows`` tells whether that is
    another scope's or the configuration's. ``recovery_ratio`` is that of the limits for a return. ``asked`` are the
    classes of the whole model that are asked again of the full one.
    """

    scope: str
    mode: Mode
    answers: str
    verdicts: Sequence[Verdict]
    compared: int
    share: float | None
    requests_per_second: float | None
    moved: TrailLine | None
    alarm: TrailLine | None
    cause: str
    follows: bool
    recovery_ratio: float
    armed: bool
    asked: tuple[str, ...] = ()


def evidence_share(verdict: Verdict) -> float:
    """The evidence of a verdict as a share of what an alarm needs."""
    known = verdict.evidence if math.isfinite(verdict.evidence) else 0.0
    return round(max(known, 0.0) / verdict.threshold, 3)


def way_back(verdict: Verdict) -> float | None:
    """The share of the proof that a tripped monitor needs for a return; None where it has not tripped."""
    if verdict.recovery is None:
        return None
    known = verdict.recovery if math.isfinite(verdict.recovery) else 0.0
    return round(min(max(known / verdict.recovery_threshold, 0.0), 1.0), 3)


def check_entry(verdict: Verdict) -> CheckEntry:
    """One verdict for people."""
    now = verdict.now
    return {
        "monitor": verdict.monitor,
        "title": MONITOR_TITLES.get(verdict.monitor, verdict.monitor.replace("_", " ")),
        "says": finding(verdict.monitor, verdict.variant, now, verdict.limit),
        "rate": now.mean if now else verdict.mean,
        "limit": verdict.limit,
        "range": [round(end, 4) for end in oriented(now)[1:]] if now else None,
        "rows": now.rows if now else verdict.count,
        "needed": math.ceil(verdict.needed) if math.isfinite(verdict.needed) else None,
        "evidence": evidence_share(verdict),
        "way_back": way_back(verdict),
        "range_since": words.since(verdict.since) if verdict.since else None,
        "outcome": str(verdict.outcome),
        "note": verdict.note,
    }


def shown_verdict(source: ScopeSource) -> Verdict | None:
    """The verdict that is shown of a scope: that of its alarm, else the one with the most evidence if it has some."""
    known = [each for each in source.verdicts if each.monitor not in NO_COMPARISONS]
    if not known:
        return None
    tripped = [each for each in known if each.outcome is Outcome.BREACH]
    if tripped:
        named = source.alarm.monitor if source.alarm else ""
        return next((each for each in tripped if each.monitor == named), max(tripped, key=_excess))
    share, _, worst = max(((evidence_share(each), _excess(each), each) for each in known), key=lambda found: found[:2])
    if worst.now is not None and share > SHOWN_EVIDENCE:
        return worst
    return next((each for each in known if each.monitor == LEADING_MONITOR), worst)


def _excess(verdict: Verdict) -> float:
    """The size of a rate beside its limit."""
    return abs(verdict.now.mean) / verdict.limit if verdict.now and verdict.limit > 0 else 0.0


def returns(source: ScopeSource) -> tuple[bool | None, float | None]:
    """Whether the scope returns by itself, as projected (None: not known), and after how many seconds."""
    mode = source.mode
    if mode.state is not ModeState.SAFE or mode.held:
        return (False, None) if mode.state is ModeState.LATCHED else (None, None)
    tripped = [each for each in source.verdicts if each.recovery is not None or each.outcome is Outcome.BREACH]
    outlooks = [each.outlook for each in tripped]
    if any(each is not None and not math.isfinite(each.rows) for each in outlooks):
        return False, None
    seconds = [each.seconds for each in outlooks if each is not None]
    if not seconds or len(seconds) < len(tripped):
        return None, None
    return True, max(seconds) if math.isfinite(max(seconds)) else None


def scope_evidence(source: ScopeSource) -> float:
    """The most evidence of an alarm in a scope; that of its alarm, where it has led to one."""
    if source.mode.safe and source.alarm and source.alarm.alarm is not None:
        return round(source.alarm.alarm, 3)
    return max((evidence_share(each) for each in source.verdicts if each.monitor not in NO_COMPARISONS), default=0.0)


def _unseen(source: ScopeSource) -> list[int] | None:
    """The compared rows and those needed where they are too few for a word on the scope."""
    leading = next((each for each in source.verdicts if each.monitor == LEADING_MONITOR), None)
    if leading is None or source.mode.safe or leading.outcome is not Outcome.INSUFFICIENT:
        return None
    few = leading.count < leading.needed
    return [leading.count, math.ceil(leading.needed)] if few and math.isfinite(leading.needed) else None


def _why(source: ScopeSource) -> str | None:
    if source.cause:
        return source.cause
    return source.moved.text if source.moved and (source.mode.safe or source.mode.held) else None


def _rank(source: ScopeSource, evidence: float, shown: Verdict | None) -> float:
    """The order of scopes: those that stay with the full model, those in safe mode, held ones, then by evidence."""
    held = _HELD_RANK if source.mode.held else 0.0
    excess = _MOST_EXCESS * min(1.0, _excess(shown)) if shown else 0.0
    return round(_RANKS.get(str(source.mode.state), held) + evidence + excess, 4)


def with_checks(entry: ScopeEntry, source: ScopeSource) -> ScopeEntry:
    """The entry with all the checks of its scope."""
    return {**entry, "checks": [check_entry(each) for each in source.verdicts if each.monitor != "sight"]}


def scope_entry(source: ScopeSource) -> ScopeEntry:
    """The entry of a scope, without its checks."""
    mode, shown, evidence = source.mode, shown_verdict(source), scope_evidence(source)
    own = mode.safe or mode.held
    projected, seconds = returns(source)
    backs = [back for each in source.verdicts if (back := way_back(each)) is not None]
    name, attribute = scope_parts(source.scope)
    now = shown.now if shown else None
    by = source.moved.actor if source.moved and own else None
    return {
        "scope": source.scope,
        "title": scope_title(source.scope),
        "name": name,
        "attribute": attribute,
        "state": str(mode.state),
        "held": mode.held,
        "own": own,
        "below": source.answers == FULL and not own,
        "answers": FULL if source.answers == FULL else SMALL,  # type: ignore[typeddict-item]
        "asked": list(source.asked),
        "since": _since(source) if own else None,
        "range_since": next((words.since(each.since) for each in _tripped(source, shown) if each.since), None),
        "by": MACHINE_ACTORS.get(by, by) if by else None,
        "why": _why(source),
        "compared": source.compared,
        "share": None if source.share is None else round(source.share, 4),
        "requests_per_second": None if source.requests_per_second is None else round(source.requests_per_second, 2),
        "monitor": shown.monitor if shown else None,
        "label": rate_label(shown) if shown else "",
        "rate": abs(now.mean) if now else None,
        "limit": shown.limit if shown else None,
        "range": [round(end, 4) for end in oriented(now)[1:]] if now else None,
        "says": finding(shown.monitor, shown.variant, now, shown.limit) if shown else "",
        "evidence": evidence,
        "way_back": min(backs) if backs and mode.state is ModeState.SAFE and not mode.held else None,
        "returns_below": round(source.recovery_ratio * shown.limit, 4) if shown else None,
        "returns": projected,
        "returns_in_seconds": seconds,
        "stuck": projected is False,
        "flaps": mode.flaps,
        "unseen": _unseen(source),
        "case": source.alarm.seq if source.alarm and mode.safe else None,
        "checks": [],
        "worst": _rank(source, evidence, shown),
    }


def _since(source: ScopeSource) -> float | None:
    """When the scope got its mode; an order that holds it moves no time of the mode."""
    if source.mode.held and source.moved:
        return source.moved.at
    return source.mode.since or (source.moved.at if source.moved else None)


def _tripped(source: ScopeSource, shown: Verdict | None) -> list[Verdict]:
    """The verdict that is shown, then the other ones."""
    return [*([shown] if shown else []), *source.verdicts]


def scope_facts(source: ScopeSource, entry: ScopeEntry) -> ScopeFacts:
    """The facts of a scope that the headline is made of."""
    return ScopeFacts(
        scope=source.scope,
        answers=entry["answers"],
        state=entry["state"],
        held=entry["held"],
        own=entry["own"] or bool(source.cause and not source.follows),
        harmed=not source.armed and any(each.outcome is Outcome.BREACH for each in source.verdicts if _counts(each)),
        evidence=entry["evidence"],
        share=entry["share"],
        returns=entry["returns"],
        finding=entry["says"],
        why=entry["why"] or "",
        asked=source.asked,
    )


def _counts(verdict: Verdict) -> bool:
    return verdict.monitor not in NO_COMPARISONS


def group_order(entry: ScopeEntry) -> float:
    """The worst groups come first."""
    return -entry["worst"]
