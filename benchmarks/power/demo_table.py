"""Results on the demo's rows: when each method finds the harmed subgroup, and its false alarms about other scopes."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.power.evidently_adapter import Evidently
from benchmarks.power.fallback import ModeChange, mode_changes
from benchmarks.power.method import Method
from benchmarks.power.methods import OTHERS, OURS
from benchmarks.power.traffic import BAD, GOOD, HARMED, DemoCase, demo_case
from tightrope.monitors.records import MODEL_SCOPE

LIMITS = ((0.07, 0.1), (0.02, 0.04))
"""The demo's limits and the default limits: for the model as a whole, and for each subgroup."""

METHODS: tuple[Method, ...] = (
    *OURS,
    *(method for method in OTHERS if not isinstance(method, Evidently)),
    Evidently("evidently, reference: the golden rows"),
)


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method: the rows until its alarm for the harmed subgroup (None: never) and how many of them are the
    subgroup's own, the number of other scopes over the limit that it found, and its alarms about scopes within the
    limit, in the bad model's stream and in those of the good models.
    """

    name: str
    found: int | None
    own: int
    others: int
    false_bad: int
    false_good: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DemoTable:
    """All methods under a pair of limits; ``harmed`` other scopes are over it, ``moves`` are the mode changes."""

    limits: tuple[float, float]
    rows: int
    subgroups: int
    harmed: int
    lines: tuple[MethodResult, ...]
    moves: tuple[ModeChange, ...]
    good_moves: tuple[ModeChange, ...]


def demo_table(limits: tuple[float, float]) -> DemoTable:
    """Run every method on the rows of the bad model and of the good models."""
    bad, good = demo_case(BAD, limits), [demo_case(name, limits) for name in GOOD]
    return DemoTable(
        limits=limits,
        rows=len(bad.rows.codes),
        subgroups=len(bad.rows.scopes) - 1,
        harmed=int(bad.harmed.sum()) - 1,
        lines=tuple(_line(method, bad, good) for method in METHODS),
        moves=tuple(mode_changes(bad)),
        good_moves=tuple(move for case in good for move in mode_changes(case)),
    )


def _line(method: Method, bad: DemoCase, good: Sequence[DemoCase]) -> MethodResult:
    alarms = _alarms(method, bad)
    first = alarms[HARMED][0] + 1 if alarms[HARMED] else None
    subgroup = bad.cells[bad.rows.scopes.index(HARMED)].rows
    harmed = {scope for scope, over in zip(bad.rows.scopes, bad.harmed, strict=True) if over}
    return MethodResult(
        name=method.name,
        found=first,
        own=0 if first is None else int((subgroup.indices < first).sum()),
        others=sum(bool(alarms[scope]) for scope in harmed - {HARMED}),
        false_bad=sum(len(rows) for scope, rows in alarms.items() if scope not in harmed),
        false_good=tuple(_false_alarms(method, case) for case in good),
    )


def _false_alarms(method: Method, case: DemoCase) -> int:
    alarms = _alarms(method, case).values()
    return sum(len(rows) for rows, over in zip(alarms, case.harmed, strict=True) if not over)


def _alarms(method: Method, case: DemoCase) -> dict[str, list[int]]:
    """The rows of each scope's alarms."""
    cells = zip(case.rows.scopes, case.cells, strict=True)
    return {scope: method.alarms(cell.spec, cell.rows, cell.rows.total).tolist() for scope, cell in cells}


def scopes(moves: Sequence[ModeChange]) -> str:
    """Mode changes in words."""
    name = {MODEL_SCOPE: "the model as a whole"}
    return ", ".join(f"{name.get(move.scope, f'`{move.scope}`')} after row {move.row:,}" for move in moves)
