"""The plan (what is watched, fixed while it runs) and the state of one model's judgement (replaced at every tick)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope
from tightrope.monitors.budget import Budget, MonitorSpec
from tightrope.monitors.clear_rows.clear_margin import LearnedMargin
from tightrope.monitors.dependence.autocorrelation import Autocorrelation
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.dependence.warning import Dependence
from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.elapsed import elapsed
from tightrope.monitors.history.retained import Retained
from tightrope.monitors.hunter.search import Search, SearchPlan
from tightrope.monitors.intake.hosts import HostRows
from tightrope.monitors.intake.refusals import RefusedRows
from tightrope.monitors.intake.repeats import RepeatMemory, Repeats
from tightrope.monitors.intake.sight_notes import SightNotes
from tightrope.monitors.intervals.estimates import Estimates
from tightrope.monitors.latency import LatencyObjective, LatencyState
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.reliability.curve_bins import CurveBins
from tightrope.monitors.reliability.curve_sums import CurveSums
from tightrope.monitors.safemode import Input, Mode, Policy, Withholding
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.monitors.veto.wealth import VETOED_MONITORS, Veto

STALE_ARTEFACT, STALE_SUBGROUPS = STALE_REASONS = ("artefact", "subgroups")
"""Reasons for which a plan does not cover rows: another pair of models, or the same pair with other subgroups."""

ADVISORY_NOTE = "; advisory: only recorded, no traffic moves"
"""The end of the reason of a breach whose scope goes on being answered by the compressed model."""

ARMED = "armed"
"""The mode, among the settings of judgement, in which a breach routes requests to the baseline."""


@dataclass(frozen=True, slots=True, eq=False)  # arrays have no truth; two plans differ, a cache knows each
class Plan:
    """The monitoring plan of one model. ``scopes`` (S names) starts with the model itself, then its subgroups.

    Where ``keeps_armed``, no mode is configured: a state that was armed stays so, although the plan is not ``armed``.
    ``rates`` (S,) is the draw below which a row counts for a scope; ``tick_seconds`` is event time; after
    ``blind_seconds`` of traffic without a comparison the judge is blind (0: never); rows and labels wait for each other
    for ``label_horizon`` seconds (0: there are no labels), for which ``label_draw`` draws rows; the baseline answers
    the scopes ``always_baseline`` in every mode; ``digest`` covers everything that evidence depends on: evidence
    counted under another digest is not carried over. ``settings`` are those of judgement, by dotted name, in JSON
    types: a change of them is told. ``search`` is the search for undeclared groups; ``curves`` are the bins of
    reliability curves, None without labels or a confidence. Scopes in ``withholding`` begin in safe mode, once for each
    statement. The last scopes are those ``added`` while the model is served, for which ``specs`` give the rules;
    ``base`` is the plan without them. ``askable`` are the numbers of the classes of `class_gain` that are asked again
    when the model says them too often, in the order of its variants; empty: the model falls back.

    >>> plan = Plan("m", "b", "c", ("model", "sex=f"), np.ones(2), rules=())
    >>> plan.covers(Comparisons.from_columns(1, baseline_digest="b", compressed_digest="c", scopes=("sex=f",)))
    True
    """

    model: str
    baseline_digest: str
    compressed_digest: str
    scopes: tuple[str, ...]
    rates: Floats
    rules: tuple[Rule, ...]
    budget: Budget = field(default_factory=Budget)
    policy: Policy = field(default_factory=Policy)
    armed: bool = True
    keeps_armed: bool = False
    tick_rows: int = 64
    tick_seconds: float = 5.0
    repeats: Repeats = Repeats.RETRIES
    unit: EvidenceUnit = field(default_factory=EvidenceUnit)
    blind_seconds: float = 60.0
    objective: LatencyObjective | None = None
    label_horizon: float = 0.0
    label_draw: LabelDraw = field(default_factory=LabelDraw)
    digest: str = ""
    always_baseline: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    search: SearchPlan | None = None
    curves: CurveBins | None = None
    withholding: Withholding = field(default_factory=Withholding)
    specs: tuple[MonitorSpec, ...] = field(default=(), repr=False)
    added: tuple[AddedScope, ...] = ()
    base: "Plan | None" = field(default=None, repr=False)
    askable: tuple[int, ...] = ()

    @property
    def declared(self) -> tuple[str, ...]:
        """The subgroups that the configuration declares."""
        return self.scopes[1 : len(self.scopes) - len(self.added)]

    def covers(self, rows: Comparisons) -> bool:
        """Tell whether these rows are of the watched pair and subgroups."""
        ours = (rows.baseline_digest, rows.compressed_digest) == (self.baseline_digest, self.compressed_digest)
        return ours and rows.scopes == self.scopes[1:]

    @property
    def coverage(self) -> str:
        """A digest of the pair, the declared subgroups and the withheld scopes: `covers` accepts the rows of a gateway
        whose plan has the same one.

        >>> fewer = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
        >>> fewer.coverage == Plan("m", "b", "c", ("model", "sex=f"), np.ones(2), rules=()).coverage
        False
        """
        withheld = [f"withheld {scope}" for scope in self.withholding.scopes]
        covered = (self.baseline_digest, self.compressed_digest, *self.declared, *withheld)
        return sha256("\n".join(covered).encode()).hexdigest()

    def refusal(self, rows: Comparisons) -> str:
        """The reason for which the plan does not cover these rows: artefact or subgroups; empty if it does."""
        if self.covers(rows):
            return ""
        ours = (rows.baseline_digest, rows.compressed_digest) == (self.baseline_digest, self.compressed_digest)
        return STALE_SUBGROUPS if ours else STALE_ARTEFACT

    @property
    def monitors(self) -> tuple[str, ...]:
        """The names of the monitors, in the order of the rules."""
        return tuple(rule.monitor.name for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Transition:
    """One input that a scope received, and its effect. ``evidence`` holds the basis of the decision.

    >>> Transition("model", Input.FORCE_SAFE, Mode(), Mode(held=True), 0.0, "eve", "test", {}).moved
    True
    """

    scope: str
    trigger: Input
    before: Mode
    after: Mode
    time: float
    actor: str
    reason: str
    evidence: Mapping[str, object]

    @property
    def moved(self) -> bool:
        """Whether the state, the hold, or the classes to which a safe scope is narrowed changed."""
        before, after = self.before, self.after
        return (before.state, before.held, before.asked) != (after.state, after.held, after.asked)


@dataclass(frozen=True, slots=True)
class UncomparedTraffic:
    """Traffic since comparisons last arrived: requests kept, event times (s) of the first and the latest notice.

    ``answered`` is the event time of the newest comparison that the plan covers. ``stale_since`` and ``stale_until``
    span the rows that it does not cover and that arrived without a pause (0: none).

    >>> UncomparedTraffic(kept=40, since=100.0, until=160.0).answered
    -inf
    """

    kept: int = 0
    since: float = 0.0
    until: float = 0.0
    answered: float = float("-inf")
    stale_since: float = 0.0
    stale_until: float = 0.0


@dataclass(frozen=True, slots=True)
class State:
    """The state of one model's judgement. ``watermarks`` hold, per partition of ``log``, the last offset counted.

    ``seen`` counts the rows of each stream and ``pending`` holds those of its open tick; ``compared`` (S,) counts all
    rows of each scope, and ``disagreed`` (S,) is the sum of their disagreement, a number where it is all or nothing;
    ``labels`` counts labels by outcome (joined, duplicate, unknown, late, expired, stale); ``stale`` counts rows of
    another artefact or configuration; ``errors`` (S,) counts rows with a fault, and ``faulty`` (S,) tells whether the
    scope's latest tick had one; ``unanswered`` is the traffic that no comparison has followed yet; ``latency`` holds
    the blocks of served requests; ``noise`` (S, 2) counts rows on which the baseline ran twice and holds the sum of its
    disagreement with itself, a number where it is all or nothing; ``lag`` measures how much neighbouring disagreements
    depend on each other; ``epoch`` grows with every change of mode; ``retained`` outlives the plan; ``sighted`` (S,)
    counts the rows of the model up to the last row of each scope; ``repeats`` remembers the latest rows and requests;
    ``hosts`` counts rows by the class of the host that ran the compressed model; ``refused`` counts by role the rows
    that the role refuses; ``sight_notes`` are what gateways told about rows that are missing; ``estimates`` holds the
    sums behind intervals; ``dependence`` is how much rows depend on each other; ``search`` is that for groups;
    ``veto`` is what labels have shown of disagreements, and ``curves`` of confidence; ``added`` are the scopes that no
    configuration declares; ``margin`` is that of clear rows where the plan does not know it.

    >>> plan = Plan("m", "b", "c", ("model", "sex=f"), np.ones(2), rules=())
    >>> initial_state(plan).modes[0].state
    <ModeState.NORMAL: 'normal'>
    """

    digest: str
    baseline_digest: str
    compressed_digest: str
    scopes: tuple[str, ...]
    monitors: tuple[str, ...]
    epoch: int
    seen: Mapping[Stream, int]
    stale: int
    log: str
    watermarks: Mapping[int, int]
    pending: Mapping[Stream, Comparisons]
    modes: tuple[Mode, ...]
    compared: Ints
    disagreed: Ints | Floats
    errors: Ints
    faulty: Bools
    noise: Ints | Floats
    lag: Autocorrelation
    unanswered: UncomparedTraffic
    latency: LatencyState
    labels: Mapping[str, int]
    cells: tuple[Cells, ...]
    sighted: Ints
    retained: Retained = field(default_factory=Retained)
    repeats: RepeatMemory = field(default_factory=RepeatMemory)
    hosts: HostRows = field(default_factory=dict)
    refused: RefusedRows = field(default_factory=dict)
    sight_notes: SightNotes = field(default_factory=dict)
    estimates: Estimates = field(default_factory=lambda: Estimates.fresh(()))
    dependence: Dependence = field(default_factory=Dependence)
    search: Search = field(default_factory=lambda: Search(""))
    veto: Veto = field(default_factory=lambda: Veto.fresh(0))
    curves: CurveSums = field(default_factory=lambda: CurveSums.fresh(0))
    added: tuple[AddedScope, ...] = ()
    margin: LearnedMargin = field(default_factory=LearnedMargin)

    @property
    def rows_received(self) -> int:
        """The rows received so far, each once: judged, in the open tick, or stale."""
        pending = self.pending.get(Stream.COMPARISONS)
        return self.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + self.stale

    def vetoed(self, rule: Rule) -> Bools:
        """Mask the scopes of a monitor in which labels have shown that a difference is no harm, (S,)."""
        return rule.on_scopes(self.veto.active & (rule.monitor.name in VETOED_MONITORS))

    def is_new(self, batch: Comparisons) -> Bools:
        """Mask the compared rows of a batch that lie beyond the watermarks of their partitions, (n,)."""
        watermarks = self.watermarks if batch.log == self.log else {}
        new = np.ones(len(batch), dtype=bool)
        for partition in np.unique(batch.partition):
            new &= (batch.partition != partition) | (batch.offset > watermarks.get(int(partition), -1))
        return new


def counted_unit(plan: Plan, state: State) -> str:
    """The unit of a number of rows, in words for people: requests where each is compared and has one row."""
    return "request" if plan.rates[0] >= 1 and not state.estimates.several else "compared row"


def is_blind(plan: Plan, state: State) -> bool:
    """Tell whether traffic has gone without comparisons for too long."""
    waiting = elapsed(state.unanswered.since, state.unanswered.until)
    return plan.blind_seconds > 0 and state.unanswered.kept > 0 and waiting >= plan.blind_seconds


def over_budget(plan: Plan, state: State, rule: Rule, log_mass: Floats) -> Bools:
    """Mask the cells (..., V, S) at or over the budget; a veto of labels holds those of differences back."""
    return np.asarray((rule.alarm.evidence(log_mass) >= plan.budget.threshold) & ~state.vetoed(rule))


def is_armed(plan: Plan, state: State) -> bool:
    """Tell whether a breach routes requests to the baseline: without a configured mode, the mode before is kept. A
    state that does not tell it is of a version in which every such model was armed.
    """
    return plan.armed or (plan.keeps_armed and state.retained.settings.get("mode", ARMED) == ARMED)


def withholds_anew(plan: Plan, state: State) -> bool:
    """Tell whether the plan has a statement that this state does not know yet."""
    return plan.withholding.statement not in {"", state.retained.statement}


def advisory_note(plan: Plan, state: State) -> str:
    """Return the end of the reason of a breach: empty where it moves traffic."""
    return "" if is_armed(plan, state) else ADVISORY_NOTE


def judged_settings(plan: Plan, old: State) -> Mapping[str, object]:
    """Return the settings of judgement of a plan that follows on a state, with the mode in force."""
    return {**plan.settings, "mode": ARMED} if is_armed(plan, old) and not plan.armed else plan.settings


def fresh_curves(plan: Plan) -> CurveSums:
    """Build the sums of a plan's reliability curves without labels."""
    return CurveSums.fresh(plan.curves.cells(len(plan.scopes)) if plan.curves else 0)


def initial_state(plan: Plan, dependence: Dependence | None = None) -> State:
    """Build the state of a model before its first row, or after rows about whose ``dependence`` something is known."""
    scopes, dependence = len(plan.scopes), replace(dependence or Dependence(), window_rows={})
    steps = plan.unit.window_clusters if plan.unit.is_window(warned=dependence.warned) else 0
    return State(
        digest=plan.digest,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        scopes=plan.scopes,
        monitors=plan.monitors,
        epoch=0,
        seen=dict.fromkeys(Stream, 0),
        stale=0,
        log="",
        watermarks={},
        pending={},
        modes=(Mode(),) * scopes,
        compared=np.zeros(scopes, dtype=np.int64),
        disagreed=np.zeros(scopes, dtype=np.int64),
        errors=np.zeros(scopes, dtype=np.int64),
        faulty=np.zeros(scopes, dtype=bool),
        noise=np.zeros((scopes, 2), dtype=np.int64),
        lag=Autocorrelation(),
        unanswered=UncomparedTraffic(),
        latency=LatencyState.fresh(),
        labels={},
        cells=tuple(Cells.fresh(rule, steps) for rule in plan.rules),
        dependence=dependence,
        sighted=np.zeros(scopes, dtype=np.int64),
        retained=Retained(settings=plan.settings),
        estimates=Estimates.fresh(plan.rules),
        veto=Veto.fresh(scopes),
        curves=fresh_curves(plan),
        added=plan.added,
    )
