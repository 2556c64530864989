"""The latest inputs in memory, while there is no incident: those that lead to one are written with it.

How it works. Inputs are kept in parts, each with the state before its first one, so that the oldest part can go and the
others can still be folded. A part becomes a segment. An input that does not follow the one before it, because others
between them were left out, begins anew: what came before cannot be folded up to it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tightrope.monitors.folding.inputs import ComparedRows, FoldInput, LabelledRows
from tightrope.monitors.plan import Plan, State
from tightrope.monitors.records import ROW_ARRAYS
from tightrope.service.adapters.journal.entries import Position
from tightrope.service.adapters.journal.segments import LEAD_ROWS

PARTS = 8
"""The number of parts in the memory: the oldest one goes as a whole."""

ID_MEMORY_BYTES, INPUT_MEMORY_BYTES = 80, 1_000
"""Bytes in memory, about, of the id of a row, and of an input without its rows."""


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One input as it is recorded, the position after it, and the state after it where its digest is recorded."""

    item: FoldInput
    position: Position
    digested: State | None


@dataclass(slots=True)
class LeadPart:
    """Inputs that follow each other from the state ``before`` to the state ``after``, judged by ``plan``."""

    plan: Plan
    before: State
    after: State
    steps: list[JournalStep] = field(default_factory=list)
    size: int = 0

    def rows(self, scope: str) -> int:
        """The compared rows of a scope in it."""
        return max(compared_rows(self.after, scope) - compared_rows(self.before, scope), 0)


class Lead:
    """The latest inputs of one model, of at most ``most_bytes`` in memory, about."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parts: deque[LeadPart] = deque()

    def add(self, plan: Plan, before: State, after: State, step: JournalStep) -> None:
        """Add an input, and drop the oldest ones that have no room any more."""
        if self._parts and self._parts[-1].after is not before:
            self._parts.clear()
        if not self._parts or self._parts[-1].size >= self._most_bytes / PARTS:
            self._parts.append(LeadPart(plan, before, before))
        part = self._parts[-1]
        part.steps.append(step)
        part.after, part.size = after, part.size + memory_bytes(step.item)
        while len(self._parts) > 1 and sum(each.size for each in self._parts) > self._most_bytes:
            self._parts.popleft()

    def take(self, before: State, scope: str) -> Sequence[LeadPart]:
        """Remove and return the parts that lead to a state, oldest first, as far back as `LEAD_ROWS` of the scope."""
        rows, taken = 0, deque[LeadPart]()
        while self._parts and self._parts[-1].after is before and rows < LEAD_ROWS:
            taken.appendleft(self._parts.pop())
            before, rows = taken[0].before, rows + taken[0].rows(scope)
        self._parts.clear()
        return taken

    def clear(self) -> None:
        """Forget all inputs."""
        self._parts.clear()


def compared_rows(state: State, scope: str) -> int:
    """The compared rows of a scope up to a state."""
    return int(state.compared[state.scopes.index(scope)]) if scope in state.scopes else 0


def memory_bytes(item: FoldInput) -> int:
    """Bytes of an input in memory, about."""
    if not isinstance(item, ComparedRows | LabelledRows):
        return INPUT_MEMORY_BYTES
    arrays = (int(getattr(item.rows, name).nbytes) for name in ROW_ARRAYS)
    return INPUT_MEMORY_BYTES + ID_MEMORY_BYTES * len(item.rows) + sum(arrays)
