"""Collects what the overview says of one model: from the router, the judgement, the counters and the audit trail."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tightrope.monitors.boundaries.asked_classes import class_titles
from tightrope.monitors.records import MODEL_SCOPE, Outcome, Role
from tightrope.monitors.safemode import Mode
from tightrope.monitors.scopes import OTHER_VALUE
from tightrope.monitors.status.groups import GroupStatus
from tightrope.monitors.status.progress import JudgementProgress
from tightrope.monitors.status.standing import ModelStanding
from tightrope.monitors.verdict import Verdict
from tightrope.service.api.overview.event_words import TrailLine
from tightrope.service.api.overview.facts import FULL, SMALL
from tightrope.service.api.overview.phrases import joined, scope_parts
from tightrope.service.api.overview.scopes import ScopeSource
from tightrope.service.api.overview.traffic import Rates
from tightrope.service.api.ports import VerdictReader
from tightrope.service.inference.engine import InferenceEngine
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.routing.blindness import SightFacts

SightReader = Callable[[str], SightFacts]
"""Tells what a gateway knows of the judgement of a model."""

COUNTERS = ("requests", "rows", "subgroup_rows", "model_failures", "samples", "samples_dropped")
"""The counters that the overview reads, by their names in the catalogue."""

FULL_FAILS, FULL_IS_SLOW = "fails", "is slow"
LEAST_FAILURES, LEAST_FAILED_SHARE = 3.0, 0.01
"""Failed runs within the window, and as a share of the rows, from which the full model counts as failing."""

LEAST_SHARED_ROWS = 100.0
"""Rows answered by this gateway from which its own counts give the shares of groups."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """All that the overview says of one model is made of this. ``verdicts`` and ``lines`` are the model's,
    ``at`` is the time of its ``sight``, in seconds since the epoch.
    """

    pair: ModelPair
    armed: bool
    standing: ModelStanding | None
    verdicts: Sequence[Verdict]
    found: Sequence[GroupStatus]
    progress: JudgementProgress
    lines: Sequence[TrailLine]
    rates: Rates
    sight: SightFacts
    at: float
    engine: InferenceEngine

    @property
    def name(self) -> str:
        """The model's name."""
        return self.pair.name

    def mode(self, scope: str) -> Mode:
        """The mode of a scope."""
        return self.standing.modes.get(scope, Mode()) if self.standing else Mode()

    def trouble(self) -> str:
        """The trouble with the full model now; empty if none is known."""
        name, role = self.name, str(Role.BASELINE)
        failed = sum(
            self.rates.per_second("model_failures", *labels) or 0.0
            for labels in self.rates.now["model_failures"]
            if labels[:2] == (name, role)
        )
        answered = self.rates.per_second("rows", name, role) or 0.0
        if failed * self.rates.seconds >= LEAST_FAILURES and failed >= LEAST_FAILED_SHARE * answered:
            return FULL_FAILS
        slow = any(v.monitor == "latency" and v.outcome is Outcome.BREACH for v in self.verdicts)
        return FULL_IS_SLOW if slow or self.engine.rationing.share(name) < 1.0 else ""

    def per_second(self) -> float | None:
        """The requests that this gateway answers a second."""
        return self.rates.per_second("requests", self.name, "ok")

    def full_share(self) -> float | None:
        """The share of the rows that the full model answers, in the window, or else since the start."""
        full, small = (self.rates.per_second("rows", self.name, str(role)) for role in (Role.BASELINE, Role.COMPRESSED))
        if not full and not small:
            full, small = (self.rates.total("rows", self.name, str(role)) for role in (Role.BASELINE, Role.COMPRESSED))
        total = (full or 0.0) + (small or 0.0)
        return round((full or 0.0) / total, 4) if total else None

    def shares(self, scopes: Iterable[str]) -> dict[str, float | None]:
        """The share of the rows that are of each scope: of those answered here, else of those compared."""
        rows = sum(self.rates.total("rows", self.name, str(role)) for role in Role)
        answered = self.rates.now["subgroup_rows"] if rows >= LEAST_SHARED_ROWS else {}
        compared = {scope: counts["compared"] for scope, counts in self.progress["scopes"].items()}
        total = compared.get(MODEL_SCOPE, 0)
        shares: dict[str, float | None] = {}
        for scope in scopes:
            if (own := answered.get((self.name, scope))) is not None:
                shares[scope] = own / rows
            else:
                shares[scope] = compared[scope] / total if total and scope in compared else None
        return {**shares, MODEL_SCOPE: 1.0}


def scope_sources(source: ModelSource) -> list[ScopeSource]:
    """All that is known of each scope of a model, the whole model first. Values that are not declared (`other`) and
    have no rows are left out.
    """
    router, name = source.engine.router, source.name
    full, unseen = router.baseline_scopes(name), router.unseen_scopes(name)
    following, above = {*router.following(name)}, router.explain(name)
    by_scope: dict[str, list[Verdict]] = {}
    for verdict in source.verdicts:
        by_scope.setdefault(verdict.scope, []).append(verdict)
    moved, alarms = _movers(source.lines)
    total = source.per_second()
    always = {*source.pair.subgroups.always_baseline}
    found = []
    scopes = _scopes(source)
    shares = source.shares(scopes)
    for scope in scopes:
        rows, share = source.progress["scopes"].get(scope), shares[scope]
        compared = rows["compared"] if rows else 0
        if scope.endswith(f"={OTHER_VALUE}") and not compared:
            continue
        mode, is_full = source.mode(scope), MODEL_SCOPE in full or scope in full
        cause, follows = _cause(scope, source, mode, unseen, following, always, above)
        found.append(
            ScopeSource(
                scope=scope,
                mode=mode,
                answers=FULL if is_full else SMALL,
                verdicts=by_scope.get(scope, []),
                compared=compared,
                share=share,
                requests_per_second=None if share is None or total is None else total * share,
                moved=moved.get(scope),
                alarm=alarms.get(scope),
                cause=cause if is_full else "",
                follows=follows,
                recovery_ratio=source.standing.recovery_ratio if source.standing else 1.0,
                armed=source.armed,
                asked=class_titles(source.pair.plan, router.asked_classes(name)) if scope == MODEL_SCOPE else (),
            )
        )
    return found


def _scopes(source: ModelSource) -> Sequence[str]:
    """The scopes of a model: those of the configuration, then found groups that are watched."""
    return *source.pair.plan.scopes, *(added.scope for added in source.engine.router.routes(source.name).added)


def _cause(
    scope: str,
    source: ModelSource,
    mode: Mode,
    unseen: frozenset[str],
    following: set[str],
    always: set[str],
    above: str,
) -> tuple[str, bool]:
    """Why the full model answers a scope apart from its mode, in a sentence (empty: no such reason), and whether that
    reason is another scope's or the configuration's.
    """
    if mode.safe or mode.held:
        return "", False
    if scope == MODEL_SCOPE:
        return (f"{above[:1].upper()}{above[1:]}." if above else ""), False
    if scope in unseen:
        return "Its requests are not judged, or too few of them are kept, so the full model answers.", False
    if scope in always:
        return "The configuration gives it to the full model.", True
    if scope in following:
        attribute = scope.partition("=")[0]
        names = [each for each in source.engine.router.routes(source.name).safe if each.startswith(f"{attribute}=")]
        others = joined([scope_parts(each)[0] for each in names]) if names else "another value"
        return f"It has no declared value, so it is answered as {others}.", True
    return "", True


def _movers(lines: Sequence[TrailLine]) -> tuple[Mapping[str, TrailLine], Mapping[str, TrailLine]]:
    """The newest event that moved each scope, and the newest alarm of each that did."""
    moved = {line.scope: line for line in lines if line.moved}
    alarms = {line.scope: line for line in lines if line.moved and line.alarm is not None}
    return moved, alarms


def collect(
    engine: InferenceEngine,
    reader: VerdictReader,
    sight: SightReader,
    pair: ModelPair,
    verdicts: Sequence[Verdict],
    lines: Sequence[TrailLine],
    rates: Rates,
    now: Callable[[], float],
) -> ModelSource:
    """Collect what the overview says of one model; ``now`` is the wall clock."""
    name = pair.name
    return ModelSource(
        pair=pair,
        armed=reader.is_armed(name),
        standing=reader.standing(name),
        verdicts=verdicts,
        found=reader.groups(name),
        progress=reader.progress(name),
        lines=lines,
        rates=rates,
        sight=sight(name),
        at=now(),
        engine=engine,
    )
