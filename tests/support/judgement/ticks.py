"""Ticks made to order and run through one monitor's cells, for tests of the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tightrope.monitors.budget import Ask, Budget, rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.detector_bank import Cells, Course, Rule, Run, courses
from tightrope.monitors.evidence import Tally

YES, NO = np.array([True, True]), np.array([False, False])


@dataclass(frozen=True)
class Tick:
    """Rows of a model and its one subgroup: which speak, and what they say; who is on duty."""

    tally: Tally
    alarming: ArrayLike = (True, True)
    recovering: ArrayLike = (False, False)
    on_trial: ArrayLike = (False, False)

    def run(self, rule: Rule, cells: Cells) -> Run:
        """The monitor put to work on it."""
        duty = (np.asarray(one, dtype=bool) for one in (self.alarming, self.recovering, self.on_trial))
        return Run(rule, cells, self.tally, *duty)


def rule(limit: float = 0.02, apart: float = 0.04, name: str = "disagreement", ratio: float = 0.75) -> Rule:
    """One question about a model and its one subgroup: shares 0.25 (or 0.1) and 0.2."""
    question = CATALOGUE[name]
    return rules([Ask(question, question.variants(2), np.array([limit, apart]))], Budget(), ratio)[0]


def tally(y: ArrayLike, member: ArrayLike, valid: ArrayLike = 1, rows: float | None = None) -> Tally:
    """One tick of a question without variants; ``member`` (n,) says which rows are the subgroup's."""
    y = np.asarray(y, dtype=float)
    whole = np.stack([np.ones(len(y)), np.asarray(member, dtype=float)], axis=1)
    speaking = np.broadcast_to(np.asarray(valid, dtype=bool), len(y))
    seeds = np.array([[float(len(y)) if rows is None else rows]])
    return Tally.of(whole[None], speaking[None, :, None], y[None, :, None], seeds)


def tick(y: ArrayLike, member: ArrayLike, valid: ArrayLike = 1, **duty: ArrayLike) -> Tick:
    """`tally`, and who is on duty: both alarms, unless told otherwise."""
    return Tick(tally(y, member, valid), **duty)


def together(*tallies: Tally) -> Tally:
    """Ticks of the same size as one block."""
    names: Sequence[str] = Tally.__slots__
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one in tallies]) for name in names}
    return Tally(**columns)


def course(of: Rule, one: Tick, cells: Cells | None = None) -> Course:
    """A block run through the cells."""
    return courses([one.run(of, Cells.fresh(of) if cells is None else cells)])[0]


def advance(of: Rule, cells: Cells, one: Tick) -> Cells:
    """The cells after one more tick or block."""
    return course(of, one, cells).at(cells, of, len(one.tally.seeds))


def run(of: Rule, *ticks: Tick) -> Cells:
    """The cells after these ticks, one at a time."""
    cells = Cells.fresh(of)
    for one in ticks:
        cells = advance(of, cells, one)
    return cells


def block(*ticks: Tick) -> Tick:
    """Ticks of the same size, with the duty of the first."""
    return replace(ticks[0], tally=together(*(one.tally for one in ticks)))
