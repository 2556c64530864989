"""The plan (what is watched, fixed while it runs) and the state of one model's judgement (replaced at every tick)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from tightrope.monitors.budget import Budget
from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.elapsed import elapsed
from tightrope.monitors.history.retained import Retained
from tightrope.monitors.intake.hosts import HostRows
from tightrope.monitors.intake.refusals import RefusedRows
from tightrope.monitors.intake.repeats import RepeatMemory, Repeats
from tightrope.monitors.latency import LatencyObjective, LatencyState
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.safemode import Input, Mode, Policy

STALE_ARTEFACT, STALE_SUBGROUPS = STALE_REASONS = ("artefact", "subgroups")
"""Reasons for which a plan does not cover rows: another pair of models, or the same pair with other subgroups."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The monitoring plan of one model. ``scopes`` (S names) starts with the model itself, then its subgroups.

    ``rates`` (S,) is the draw below which a row counts for a scope; ``tick_seconds`` is event time; after
    ``blind_seconds`` of traffic without a comparison the judge is blind (0: never); rows and labels wait for each other
    for ``label_horizon`` seconds (0: there are no labels); the baseline answers the scopes ``always_baseline`` in every
    mode; ``digest`` covers everything that evidence depends on: evidence counted under another digest is not carried
    over. ``settings`` are those of judgement, by dotted name, in JSON types: a change of them is told.

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
    tick_rows: int = 64
    tick_seconds: float = 5.0
    repeats: Repeats = Repeats.RETRIES
    blind_seconds: float = 60.0
    objective: LatencyObjective | None = None
    label_horizon: float = 0.0
    digest: str = ""
    always_baseline: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)

    def covers(self, rows: Comparisons) -> bool:
        """Tell whether these rows are of the watched pair and subgroups."""
        ours = (rows.baseline_digest, rows.compressed_digest) == (self.baseline_digest, self.compressed_digest)
        return ours and rows.scopes == self.scopes[1:]

    @property
    def coverage(self) -> str:
        """A digest of the pair and the subgroups: `covers` accepts the rows of a gateway whose plan has the same one.

        >>> fewer = Plan("m", "b", "c", ("model",), np.ones(1), rules=())
        >>> fewer.coverage == Plan("m", "b", "c", ("model", "sex=f"), np.ones(2), rules=()).coverage
        False
        """
        covered = (self.baseline_digest, self.compressed_digest, *self.scopes[1:])
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
        """Whether the state or the hold changed."""
        return (self.before.state, self.before.held) != (self.after.state, self.after.held)


@dataclass(frozen=True, slots=True)
class Autocorrelation:
    """Running sums for the lag-1 autocorrelation of rows: pairs seen, sum of y, sum of products, and the last y.

    >>> Autocorrelation(pairs=100, total=50.0, products=25.0).correlation
    0.0
    """

    pairs: int = 0
    total: float = 0.0
    products: float = 0.0
    last: float = 0.0

    @property
    def correlation(self) -> float | None:
        """Lag-1 autocorrelation of a 0/1 quantity, or None while it has no variance."""
        mean = self.total / self.pairs if self.pairs else 0.0
        spread = mean - mean**2
        return (self.products / self.pairs - mean**2) / spread if spread > 0 else None


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

    ``seen`` counts the rows of each stream and ``pending`` holds those of its open tick; ``compared`` and
    ``disagreed`` (S,) count all rows of each scope; ``labels`` counts labels by outcome (joined, duplicate, unknown,
    late, expired, stale); ``stale`` counts rows of another artefact or configuration; ``errors`` (S,) counts rows with
    a fault, and ``faulty`` (S,) tells whether the scope's latest tick had one; ``unanswered`` is the traffic that no
    comparison has followed yet; ``latency`` holds the blocks of served requests; ``noise`` (S, 2) counts rows on which
    the baseline ran twice and rows on which it contradicted itself; ``lag`` measures how much neighbouring
    disagreements depend on each other; ``epoch`` grows with every change of mode; ``retained`` outlives the plan;
    ``sighted`` (S,) counts the rows of the model up to the last row of each scope; ``repeats`` remembers the latest
    rows and requests; ``hosts`` counts rows by the class of the host that ran the compressed model; ``refused`` counts
    by role the rows that the role refuses.

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
    disagreed: Ints
    errors: Ints
    faulty: Bools
    noise: Ints
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

    @property
    def rows_received(self) -> int:
        """The rows received so far, each once: judged, in the open tick, or stale."""
        pending = self.pending.get(Stream.COMPARISONS)
        return self.seen[Stream.COMPARISONS] + (0 if pending is None else len(pending)) + self.stale


def is_blind(plan: Plan, state: State) -> bool:
    """Tell whether traffic has gone without comparisons for too long."""
    waiting = elapsed(state.unanswered.since, state.unanswered.until)
    return plan.blind_seconds > 0 and state.unanswered.kept > 0 and waiting >= plan.blind_seconds


def initial_state(plan: Plan) -> State:
    """Build the state of a model before its first row."""
    scopes = len(plan.scopes)
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
        cells=tuple(Cells.fresh(rule) for rule in plan.rules),
        sighted=np.zeros(scopes, dtype=np.int64),
        retained=Retained(settings=plan.settings),
    )
