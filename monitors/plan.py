"""What is watched (the plan, fixed while it runs) and how far the judgement got (the state, replaced at every tick)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from tightrope.monitors.budget import Budget
from tightrope.monitors.detector_bank import Cells, Rule
from tightrope.monitors.latency import Blocks, Objective
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints, Stream
from tightrope.monitors.safemode import Input, Mode, Policy


class Repeats(StrEnum):
    """Which rows of a tick count once: those of one request id, those of one input, or none."""

    RETRIES = "retries"
    INPUTS = "inputs"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """One model's watch. ``scopes`` (S names) starts with the model itself, then its subgroups.

    ``rates`` (S,) is the draw below which a row counts for a scope; ``tick_seconds`` is event time; after
    ``blind_seconds`` of traffic without a comparison the judge is blind (0: never); rows and labels wait for each
    other for ``label_horizon`` seconds (0: there are no labels); ``digest`` stands
    for everything that evidence depends on: evidence counted under another digest is not carried over.
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
    objective: Objective | None = None
    label_horizon: float = 0.0
    digest: str = ""

    def covers(self, rows: Comparisons) -> bool:
        """Whether these rows are of the pair and of the subgroups that are watched."""
        ours = (rows.baseline_digest, rows.compressed_digest) == (self.baseline_digest, self.compressed_digest)
        return ours and rows.scopes == self.scopes[1:]

    @property
    def monitors(self) -> tuple[str, ...]:
        """The names of the questions asked, in the order of the rules."""
        return tuple(rule.question.name for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Transition:
    """One input that a scope took, and what came of it. ``evidence`` holds what the decision was made from."""

    scope: str
    what: Input
    before: Mode
    after: Mode
    time: float
    actor: str
    reason: str
    evidence: Mapping[str, object]

    @property
    def moved(self) -> bool:
        """Whether who answers, or who may change it, is another now."""
        return (self.before.state, self.before.held) != (self.after.state, self.after.held)


@dataclass(frozen=True, slots=True)
class Lag:
    """Running sums for the autocorrelation of neighbouring rows: pairs seen, sum of y, of products, and the last y."""

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
class Unanswered:
    """Traffic since comparisons last arrived: requests kept, the event time (s) of the first and of the latest notice;
    ``answered`` is that of the newest comparison.
    """

    kept: int = 0
    since: float = 0.0
    until: float = 0.0
    answered: float = float("-inf")


@dataclass(frozen=True, slots=True)
class State:
    """Everything the judge knows of one model. ``watermarks`` hold, per partition of ``log``, the last offset counted.

    ``seen`` counts the rows of each stream, ``pending`` holds those of its open tick; ``compared`` and ``disagreed``
    (S,) count those of each scope, whoever counts them; ``labels`` what became of labels (joined, duplicate, unknown,
    expired, stale); ``stale`` those of another artefact or configuration,
    ``errors`` and ``faulty`` (S,) the rows that could not be measured, ever and in the latest tick that had any;
    ``unanswered`` is the traffic that no comparison has followed yet, ``latency`` the blocks of served requests;
    ``noise`` (S, 2) the rows on which the baseline was asked twice, and those on which it contradicted itself; ``lag``
    how much a disagreement depends on its neighbour; ``epoch`` grows with every change of mode.
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
    lag: Lag
    unanswered: Unanswered
    latency: Blocks
    labels: Mapping[str, int]
    cells: tuple[Cells, ...]


def is_blind(plan: Plan, state: State) -> bool:
    """Whether traffic has gone without comparisons for too long."""
    waiting = state.unanswered.until - state.unanswered.since
    return plan.blind_seconds > 0 and state.unanswered.kept > 0 and waiting >= plan.blind_seconds


def start(plan: Plan) -> State:
    """The state of a model that nobody has watched yet."""
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
        lag=Lag(),
        unanswered=Unanswered(),
        latency=Blocks.fresh(),
        labels={},
        cells=tuple(Cells.fresh(rule) for rule in plan.rules),
    )


def adopt(plan: Plan, old: State) -> State:
    """A stored state under the plan of today. Under another digest evidence starts anew, and modes stay as they were:
    a scope in safe mode goes on owing the evidence of every monitor that tripped it.
    """
    if old.digest == plan.digest:
        return old
    fresh = start(plan)
    place = {scope: index for index, scope in enumerate(old.scopes)}
    modes = tuple(old.modes[place[scope]] if scope in place else Mode() for scope in plan.scopes)
    carried = []
    for name, cells in zip(plan.monitors, fresh.cells, strict=True):
        tripped = cells.tripped.copy()
        for index, scope in enumerate(plan.scopes):
            if name in old.monitors and scope in place:
                before = old.cells[old.monitors.index(name)].tripped[:, place[scope]]
                tripped[:, index] = before if len(before) == len(tripped) else before.any()
        carried.append(replace(cells, tripped=tripped))
    return replace(
        fresh,
        epoch=old.epoch + 1,
        seen=old.seen,
        stale=old.stale,
        log=old.log,
        watermarks=old.watermarks,
        unanswered=old.unanswered,
        labels=old.labels,
        modes=modes,
        cells=tuple(carried),
    )
