"""The warning that rows depend on each other: it widens the unit of evidence by itself, and narrows it again.

How it works. The first counted row of every request enters the Allan sums, so that rows of one request, which are one
step in any case, do not warn. A look that shows dependence sets the warning; 65,536 rows without one end it, with the
unit `auto` at the end of a window. What follows is judged in the new unit: the decision depends on the past alone, so
the guarantee of the detectors holds.

Losses are rare, and say so only after thousands of rows. Where callers are unknown, the first rows of a model warn as
well if the baseline's confidence on them resembles that on earlier ones; 8,192 rows whose losses show nothing end that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from tightrope.monitors.dependence.allan import BLOCK_ROWS, STRIDE_ROWS, AllanSums
from tightrope.monitors.dependence.blocks import Block
from tightrope.monitors.dependence.likeness import Likeness
from tightrope.monitors.dependence.senders import Senders
from tightrope.monitors.dependence.units import EvidenceUnit
from tightrope.monitors.records import Floats, Ints, Stream

QUIET_ROWS = 65_536
"""Rows without a sign of dependence after which the warning ends."""

LIKENESS_ROWS = 8_192
"""Rows without a sign of dependence after which a warning of likeness ends: by then losses have shown most bursts."""


@dataclass(frozen=True, slots=True)
class Dependence:
    """The dependence of a model's rows. ``sums`` are their Allan sums; while ``warned``, ``quiet`` counts the rows
    since the last look that showed it, in blocks of ``block`` rows that varied ``effect`` times as much as independent
    ones.

    ``window_rows`` are the rows of the open window of each stream; ``senders`` the callers of the latest rows.
    ``likeness`` is that of the first rows; ``alike`` the lag at which they resemble earlier ones, as long as that is
    all that warns.

    >>> Dependence().add(np.zeros(3)).warned
    False
    """

    sums: AllanSums = field(default_factory=AllanSums)
    warned: bool = False
    quiet: int = 0
    block: int = 0
    effect: float = 1.0
    window_rows: Mapping[Stream, int] = field(default_factory=dict)
    senders: Senders = field(default_factory=Senders)
    likeness: Likeness = field(default_factory=Likeness)
    alike: int = 0

    def add(self, y: Floats) -> "Dependence":
        """Add the losses of rows (n,), or losses and the baseline's confidence (n, 2), with a look at every 1,024 rows,
        and at every 64 of the first ones.
        """
        after, start, loss = self, 0, y if y.ndim == 1 else y[:, 0]
        confidence = np.full(len(y), np.nan) if y.ndim == 1 else y[:, 1]
        while start < len(y):
            part = slice(start, start + min(after.sums.rows_to_look, after.likeness.rows_to_look))
            start = part.stop
            after = replace(after, sums=after.sums.add(loss[part]), likeness=after.likeness.add(confidence[part]))
            after = _seen_alike(after) if after.likeness.is_at_look else after
            after = after if len(after.sums.tail) else _looked(after)
        return after

    def window_ends(self, unit: EvidenceUnit, stream: Stream, block: Block) -> Ints:
        """The ticks of a block at whose end a window ends; none where the unit is no window."""
        ends, rows = [], self.window_rows.get(stream, 0)
        if unit.is_window(warned=self.warned):
            for tick, size in enumerate(block.sizes):
                rows += size
                if rows >= unit.window_rows:
                    ends.append(tick)
                    rows = 0
        return np.array(ends, dtype=np.int64)

    def rows_of_window(self, unit: EvidenceUnit, stream: Stream, block: Block, ticks: int) -> int:
        """The rows of the window that is open after the first ``ticks`` ticks."""
        ends = self.window_ends(unit, stream, block)
        before = ends[ends < ticks]
        if len(before):
            return block.rows_of(ticks) - block.rows_of(int(before[-1]) + 1)
        return self.window_rows.get(stream, 0) + block.rows_of(ticks)

    def after(self, y: Floats, tick_of_row: Ints, unit: EvidenceUnit, block: Block, ticks: int) -> "Dependence":
        """Add the losses of the rows (n,) of the first ``ticks`` ticks; with the last of them the warning may end."""
        after = self.add(y[tick_of_row < ticks])
        return _settled(after) if ticks - 1 in self._settling_ticks(tick_of_row, unit, block) else after

    def first_change(
        self, y: Floats, tick_of_row: Ints, unit: EvidenceUnit, block: Block
    ) -> tuple[int | None, "Dependence"]:
        """The first tick at whose end the warning is set, or ends, None without any; and the dependence at the end of
        that tick, or of the block.
        """
        looks, ends = self._looks(tick_of_row), self._settling_ticks(tick_of_row, unit, block)
        after, start = self, 0
        for tick in sorted({*looks, *ends, block.ticks - 1}):
            end = int(np.searchsorted(tick_of_row, tick, side="right"))
            after, start = after.add(y[start:end]), end
            settled = _settled(after) if tick in ends else after
            if settled.warned != self.warned:
                return tick, settled
        return None, after

    def _looks(self, tick_of_row: Ints) -> set[int]:
        rows = tick_of_row[self.sums.rows_to_look - 1 :: STRIDE_ROWS].tolist()
        return {*rows, *tick_of_row[self.likeness.next_looks(len(tick_of_row))].tolist()}

    def _settling_ticks(self, tick_of_row: Ints, unit: EvidenceUnit, block: Block) -> set[int]:
        """The ticks at whose end the warning may end: with windows at their end, so that each is settled."""
        window = unit.is_window(warned=self.warned)
        return {*self.window_ends(unit, Stream.COMPARISONS, block).tolist()} if window else self._looks(tick_of_row)


def _looked(dependence: Dependence) -> Dependence:
    """Note what a look at the sums shows."""
    block = dependence.sums.warned_block
    if not block:
        return replace(dependence, quiet=dependence.quiet + STRIDE_ROWS)
    effect = float(dependence.sums.design_effects()[BLOCK_ROWS.index(block)])
    return replace(dependence, warned=True, quiet=0, block=block, effect=effect, alike=0)


def _seen_alike(dependence: Dependence) -> Dependence:
    """Note what a look at the likeness of the first rows shows."""
    lag = dependence.likeness.lag
    after = replace(dependence, likeness=dependence.likeness.looked(lag))
    if not lag or dependence.warned:
        return after
    return replace(after, warned=True, quiet=QUIET_ROWS - LIKENESS_ROWS, alike=lag)


def _settled(dependence: Dependence) -> Dependence:
    """End the warning if the rows have been quiet for long enough."""
    ends = dependence.warned and dependence.quiet >= QUIET_ROWS
    return replace(dependence, warned=False, alike=0) if ends else dependence


def dependence_text(dependence: Dependence, unit: EvidenceUnit, model: str) -> str:
    """Describe in a sentence whether the rows of a model depend on each other, its consequence, and what to do."""
    step = "the rows of a caller in a tick are" if unit.by_caller else "the rows of a request are"
    if not dependence.warned:
        again = f": {step} one step of evidence again" if unit.widens else ""
        return f"no sign in the last {QUIET_ROWS:,} rows that they depend on each other{again}"
    found = (
        f"rows depend on each other: blocks of {dependence.block} vary {dependence.effect:.1f} times as much as "
        "those of independent rows"
    )
    if dependence.alike:
        found = (
            "rows may depend on each other: the baseline is as sure as on earlier rows, most of all on those "
            f"{dependence.alike} before"
        )
    advice = dependence.senders.differing
    if not unit.has_callers:
        advice = f"write models.{model}.caller, so that rows of one caller are one step and others are not held up"
    return "; ".join(part for part in (found, _consequence(unit, model), advice) if part)


def _consequence(unit: EvidenceUnit, model: str) -> str:
    if not unit.is_window(warned=True):
        return f"near a limit there are more false alarms than promised: set models.{model}.independence: auto"
    owner = "of a caller " if unit.by_caller else ""
    anew = ", and the evidence started anew" if unit.widens else ""
    return f"{unit.window_rows:,} rows {owner}are one step of evidence{anew}"
