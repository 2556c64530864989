"""The daily cap on rows that people are asked to review: the probabilities of a day, from the rows of days before.

How it works. Each day, in UTC, has its own probabilities. They are fixed when it begins, from the rows of completed
days, and hold until it ends: a group that has had its rows goes on being drawn, and tomorrow's probability is lower. A
row's probability so depends on rows before it and on its own groups, and on no draw.

- A day of n rows and d disagreements asks for ``random (n - d) + p d`` rows. The sample of all rows has one probability
  for all rows of a day, the share of ``random`` that the model's own rows allow: were it another one in each group, the
  sample would be none of all rows.
- What it leaves of the cap goes to a group's disagreements: ``p = (cap - random (n - d)) / d``, at least the floor and
  at most the probability without a cap.
- The busiest of the last seven completed days counts, so that a quiet Sunday does not fill the Monday after it. A group
  without a disagreement in these days has the probability without a cap.
- A row of several groups has the largest probability of its groups, and the model as a whole is one of them: no group
  has less than its share, and one that overlaps with smaller ones may have more than the cap.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np

from tightrope.monitors.records import MODEL_SCOPE, Comparisons, Floats
from tightrope.monitors.scopes import with_model_scope
from tightrope.monitors.veto.drawing import LabelDraw, awaits_label

BUSY_DAYS = 7
"""Completed days whose rows decide on the probabilities of the next one."""

SECONDS_PER_DAY = 86_400
"""Length of a day of UTC, which begins at 00:00."""


class GroupRows(NamedTuple):
    """The rows of a group in a day: those that can get a label, the disagreements among them, and the drawn ones.

    >>> GroupRows(rows=1000, disagreements=30, drawn=9).drawn
    9
    """

    rows: int = 0
    disagreements: int = 0
    drawn: int = 0


DayRows = Mapping[str, GroupRows]
"""The rows of a day by scope, that of the model included."""


@dataclass(frozen=True, slots=True)
class DayChances:
    """The probabilities of a day: of any row, and of a disagreement of each of ``groups``; those of others are the ones
    without a cap.

    >>> DayChances(0.01, {"model": 0.2}).random
    0.01
    """

    random: float
    groups: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DailyCap:
    """The cap on ``rows`` of a group and day, and the probabilities that it lowers.

    >>> cap = DailyCap(LabelDraw(disagreements=0.5, random=0.0, floor=0.05), rows=20)
    >>> cap.chances([{"model": GroupRows(1000, 100)}]).groups
    {'model': 0.2}
    """

    draw: LabelDraw
    rows: int

    def chances(self, days: Iterable[DayRows]) -> DayChances:
        """The probabilities that the busiest of some completed days allows."""
        days = [*days]
        random = min((self._random(day[MODEL_SCOPE]) for day in days if MODEL_SCOPE in day), default=self.draw.random)
        groups: dict[str, float] = {}
        for day in days:
            for scope, seen in day.items():
                if seen.disagreements:
                    groups[scope] = min(groups.get(scope, self.draw.most), self._of_group(seen, random))
        return DayChances(random, groups)

    def _random(self, seen: GroupRows) -> float:
        asked = self.draw.random * (seen.rows - seen.disagreements) + self.draw.most * seen.disagreements
        return self.draw.random * min(self.rows / asked, 1.0) if asked else self.draw.random

    def _of_group(self, seen: GroupRows, random: float) -> float:
        left = self.rows - random * (seen.rows - seen.disagreements)
        return float(np.clip(left / seen.disagreements, max(self.draw.least, random), self.draw.most))

    def expected(self, seen: GroupRows, scope: str, chances: DayChances) -> float:
        """The rows that people are asked about in a day like this one, at these probabilities of the group alone."""
        disagreement = chances.groups.get(scope, self.draw.most)
        return chances.random * (seen.rows - seen.disagreements) + disagreement * seen.disagreements

    def of_rows(self, chances: DayChances, rows: Comparisons) -> Floats:
        """The probabilities of compared rows, as a disagreement and as any row, (n, 2)."""
        groups = np.array([chances.groups.get(scope, self.draw.most) for scope in (MODEL_SCOPE, *rows.scopes)])
        largest = np.where(with_model_scope(rows.member), groups, 0.0).max(axis=1)
        return np.column_stack([largest, np.full(len(rows), chances.random)])


@dataclass(frozen=True, slots=True)
class ReviewDays:
    """The ``day`` of a model, in days since 1970, its ``chances``, its ``rows`` so far, and those of completed days.

    >>> cap = DailyCap(LabelDraw(disagreements=1.0, random=0.0, floor=0.05), rows=1)
    >>> rows = Comparisons.from_columns(4, disagree=True)
    >>> days, stamped = ReviewDays.begin(cap, day=10).after(cap, rows)
    >>> days, tomorrow = days.on_day(cap, day=11).after(cap, rows)
    >>> stamped.chances[0].tolist(), tomorrow.chances[0].tolist()
    ([1.0, 0.0], [0.25, 0.0])
    """

    day: int
    chances: DayChances
    rows: DayRows = field(default_factory=dict)
    completed: Mapping[int, DayRows] = field(default_factory=dict)

    @classmethod
    def begin(cls, cap: DailyCap, day: int) -> Self:
        """The first day, without any known rows."""
        return cls(day, cap.chances(()))

    def on_day(self, cap: DailyCap, day: int) -> Self:
        """The days at this one. A clock that goes back over midnight does not begin a day again."""
        if day in {self.day, self.day - 1}:
            return self
        known = {**self.completed, **({self.day: self.rows} if self.rows else {})}
        completed = {number: rows for number, rows in known.items() if day - BUSY_DAYS <= number < day}
        return replace(self, day=day, chances=cap.chances(completed.values()), rows={}, completed=completed)

    def after(self, cap: DailyCap, rows: Comparisons) -> tuple[Self, Comparisons]:
        """The days after compared rows, and these rows with the probabilities that were fixed before them."""
        stamped = replace(rows, chances=cap.of_rows(self.chances, rows))
        sound = awaits_label(stamped)
        drawn = sound & cap.draw.of_rows(stamped).drawn
        member = with_model_scope(rows.member).astype(np.int64)
        sums = np.column_stack([sound, sound & rows.disagree, drawn]).astype(np.int64).T @ member
        scopes = (MODEL_SCOPE, *rows.scopes)
        counted = dict(self.rows)
        for index in np.flatnonzero(sums[0]).tolist():
            before, more = counted.get(scopes[index], GroupRows()), sums[:, index].tolist()
            counted[scopes[index]] = GroupRows(*(old + new for old, new in zip(before, more, strict=True)))
        return replace(self, rows=counted), stamped

    def fitted(self, cap: DailyCap) -> Self:
        """The days under another cap: the probabilities of today follow from completed days again."""
        return replace(self, chances=cap.chances(self.completed.values()))

    def tomorrow(self, cap: DailyCap) -> DayChances:
        """The probabilities of the next day if this one ended now."""
        return self.on_day(cap, self.day + 1).chances
