"""The results of a sweep: each variant with its verdict, figures and costs, and the one that is recommended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tightrope.monitors.qualification.cells import JudgedCell, MeasuredCell, QualificationVerdict
from tightrope.monitors.qualification.selection import BEST_FIRST, best_verdict
from tightrope.monitors.records import MODEL_SCOPE, Outcome, Role
from tightrope.offline.qualification.costs import Costs
from tightrope.offline.sweep.goal import Goal
from tightrope.offline.sweep.hotspot import Hotspot
from tightrope.offline.sweep.sizes import ModelSize
from tightrope.offline.sweep.variants import SkippedFile, Variant

USUAL_CRITERION = "disagreement"


@dataclass(frozen=True, slots=True)
class SweptVariant:
    """A variant and its verdict. ``proofs`` are the cells on the rows that judge, ``seen`` the same cells on all rows,
    by which ``cells`` are judged. ``opposed`` names the cells that speak against it on the rows that choose,
    ``withheld`` the scopes that the baseline would serve. ``costs`` is None where time did not reach them.
    """

    variant: Variant
    verdict: QualificationVerdict
    cells: Sequence[JudgedCell]
    proofs: Sequence[MeasuredCell]
    seen: Sequence[MeasuredCell]
    opposed: Sequence[str]
    withheld: Sequence[str]
    size: ModelSize
    costs: Costs | None

    @property
    def is_candidate(self) -> bool:
        """Whether no cell speaks against it on the rows that choose."""
        return not self.opposed

    def seen_in(self, criterion: str, scope: str) -> float | None:
        """The share or mean of a criterion in a scope on all rows, of its variant with the largest one."""
        return largest_seen(self.seen, criterion, scope)

    def bound_in(self, criterion: str, scope: str) -> float | None:
        """The upper bound of a criterion in a scope on the rows that judge, of its variant with the largest one."""
        found = [cell for cell in self.proofs if (cell.criterion, cell.scope) == (criterion, scope)]
        return max((cell.evidence.bound for cell in found if cell.evidence is not None), default=None)

    def worst(self, criterion: str) -> tuple[str, float] | None:
        """The subgroup of a criterion with the largest bound; the model where there are no subgroups."""
        scopes = dict.fromkeys(cell.scope for cell in self.proofs if cell.criterion == criterion)
        groups = [scope for scope in scopes if scope != MODEL_SCOPE] or [*scopes]
        bounds = [(scope, bound) for scope in groups if (bound := self.bound_in(criterion, scope)) is not None]
        return max(bounds, key=lambda each: each[1], default=None)

    def ratio(self, cost: str) -> float | None:
        """A cost as multiple of the baseline's in the same run."""
        found = {} if self.costs is None else self.costs.by_criterion()[cost]
        ours, theirs = found.get(str(Role.COMPRESSED)), found.get(str(Role.BASELINE))
        return ours / theirs if ours is not None and theirs else None


def largest_seen(cells: Sequence[MeasuredCell], criterion: str, scope: str) -> float | None:
    """The largest share or mean of a criterion in a scope; None where it has no rows."""
    found = [cell for cell in cells if (cell.criterion, cell.scope) == (criterion, scope)]
    values = [cell.evidence.seen for cell in found if cell.evidence is not None and cell.evidence.seen is not None]
    return max(values, key=abs, default=None)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """A whole sweep. ``rows`` are those of the file, ``chosen`` of them chose and ``judging`` judged; ``scopes`` are
    all scopes, the model first; ``criteria`` are judged, ``left_out`` those of the configuration that are not.
    ``untried`` are the trials of hotspots that time or their number did not allow.
    """

    model: str
    baseline: Path
    baseline_size: ModelSize
    data: Path
    data_digest: str
    rows: int
    chosen: int
    judging: int
    alpha: float
    goal: Goal
    criteria: Sequence[str]
    criteria_digest: str
    left_out: Sequence[str]
    scopes: Sequence[str]
    host_class: str
    variants: Sequence[SweptVariant]
    skipped: Sequence[SkippedFile]
    hotspots: Sequence[Hotspot] = ()
    untried: int = 0

    @property
    def shown_criterion(self) -> str:
        """The criterion that tables and pictures show: disagreement, or the first one that rows measure."""
        measured = dict.fromkeys(cell.criterion for swept in self.variants for cell in swept.proofs)
        return USUAL_CRITERION if USUAL_CRITERION in measured or not measured else next(iter(measured))

    @property
    def candidates(self) -> int:
        """The number of variants among which one may be chosen."""
        return sum(each.is_candidate for each in self.variants)

    @property
    def verdict(self) -> QualificationVerdict:
        """Qualified if one variant is, else the best one's verdict."""
        return best_verdict([each.verdict for each in self.variants])

    @property
    def ordered(self) -> Sequence[SweptVariant]:
        """The variants, the best verdict first and then the lowest cost."""
        return sorted(self.variants, key=lambda each: (BEST_FIRST.index(each.verdict), self.cost(each)))

    def cost(self, swept: SweptVariant) -> float:
        """The cost of a variant for the goal as multiple of the baseline's; infinite where it was not measured."""
        if self.goal is Goal.SIZE:
            return swept.size.file_bytes / max(self.baseline_size.file_bytes, 1)
        ratio = swept.ratio("latency_p50" if self.goal is Goal.LATENCY else "energy")
        return float("inf") if ratio is None else ratio

    @property
    def recommended(self) -> SweptVariant | None:
        """The qualified variant with the lowest cost, if it costs less than the baseline."""
        qualified = [each for each in self.variants if each.verdict is QualificationVerdict.QUALIFIED]
        best = min(qualified, key=self.cost, default=None)
        return best if best is not None and self.cost(best) < 1 else None

    @property
    def counts_joules(self) -> bool:
        """Whether the energy of all variants was told in joules; else it is the time of the processor."""
        measured = [each.costs for each in self.variants if each.costs is not None]
        return bool(measured) and all(costs.joules_per_row for costs in measured)


def breaches(swept: SweptVariant) -> list[JudgedCell]:
    """The cells of a variant that are proved to lie over their limit."""
    return [each for each in swept.cells if each.outcome is Outcome.BREACH]
