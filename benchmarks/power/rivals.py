"""The table of the demo's rows: who sees the harm to one subgroup, when, and who alarms about the harmless rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.power.evidently_adapter import Evidently
from benchmarks.power.fallback import Moved, moved
from benchmarks.power.method import Method
from benchmarks.power.methods import OTHERS, OURS
from benchmarks.power.traffic import BAD, GOOD, HARMED, Trial, trial
from tightrope.monitors.records import MODEL_SCOPE

LIMITS = ((0.07, 0.1), (0.02, 0.04))
"""The demo's own, and the defaults: for the model as a whole, and for every subgroup."""

METHODS: tuple[Method, ...] = (
    *OURS,
    *(method for method in OTHERS if not isinstance(method, Evidently)),
    Evidently("evidently, reference: the golden rows"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One method: after how many rows it alarmed for the harmed subgroup (None: never) and how many of these were the
    subgroup's own, other scopes over the limit that it found, and its alarms about scopes within the limit: in the bad
    model's stream, and in those of the good ones.
    """

    name: str
    found: int | None
    own: int
    others: int
    false_bad: int
    false_good: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """All methods under one pair of limits; ``harmed`` other scopes are over it, ``moves`` is what the judge did."""

    limits: tuple[float, float]
    rows: int
    subgroups: int
    harmed: int
    lines: tuple[Line, ...]
    moves: tuple[Moved, ...]
    good_moves: tuple[Moved, ...]


def board(limits: tuple[float, float]) -> Board:
    """Every method on the bad model's rows and on those of the good ones."""
    bad, good = trial(BAD, limits), [trial(name, limits) for name in GOOD]
    return Board(
        limits=limits,
        rows=len(bad.rows.codes),
        subgroups=len(bad.rows.scopes) - 1,
        harmed=int(bad.harmed.sum()) - 1,
        lines=tuple(_line(method, bad, good) for method in METHODS),
        moves=tuple(moved(bad)),
        good_moves=tuple(move for of in good for move in moved(of)),
    )


def _line(method: Method, bad: Trial, good: Sequence[Trial]) -> Line:
    said = _alarms(method, bad)
    first = said[HARMED][0] + 1 if said[HARMED] else None
    subgroup = bad.cells[bad.rows.scopes.index(HARMED)].rows
    harmed = {scope for scope, over in zip(bad.rows.scopes, bad.harmed, strict=True) if over}
    return Line(
        name=method.name,
        found=first,
        own=0 if first is None else int((subgroup.places < first).sum()),
        others=sum(bool(said[scope]) for scope in harmed - {HARMED}),
        false_bad=sum(len(at) for scope, at in said.items() if scope not in harmed),
        false_good=tuple(_false(method, of) for of in good),
    )


def _false(method: Method, of: Trial) -> int:
    said = _alarms(method, of).values()
    return sum(len(at) for at, over in zip(said, of.harmed, strict=True) if not over)


def _alarms(method: Method, of: Trial) -> dict[str, list[int]]:
    cells = zip(of.rows.scopes, of.cells, strict=True)
    return {scope: method.alarms(cell.watch, cell.rows, cell.rows.total).tolist() for scope, cell in cells}


def scopes(moves: Sequence[Moved]) -> str:
    """The moves in words."""
    name = {MODEL_SCOPE: "the model as a whole"}
    return ", ".join(f"{name.get(move.scope, f'`{move.scope}`')} after row {move.row:,}" for move in moves)
