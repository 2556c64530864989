"""The findings about a pair from which the kind of its decision is proposed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tightrope.monitors.records import Role
from tightrope.service.inference.scales.learnt_scale import OutputRange

LEADING_SHARE = 0.9
"""Share of the places of an output from which one index is said to lead."""


@dataclass(frozen=True, slots=True)
class InputFinding:
    """An input: numpy's ``kind`` of its datatype, and its sides beside the row, -1 for a free one."""

    name: str
    kind: str
    sides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OutputFinding:
    """An output of both models, as runs of one row gave it.

    ``kind`` is numpy's kind of its datatype, ``sides`` its sides beside the row, those of length 1 included;
    ``declared`` the same, -1 for a free one. ``ranges`` holds the range of a row's numbers by role, where it is known;
    all numbers of the baseline lie from ``low`` to ``high``. ``tolerance`` is the least that counts no rounding.
    ``lead`` is the largest share of places that one index of the last axis wins. ``is_by_rows``: axis 0 is the rows, or
    there is one only.
    """

    name: str
    kind: str
    sides: tuple[int, ...]
    declared: tuple[int, ...] = ()
    ranges: Mapping[Role, OutputRange] = field(default_factory=dict)
    low: float = 0.0
    high: float = 0.0
    tolerance: float = 0.0
    lead: float = 0.0
    is_by_rows: bool = True

    @property
    def range(self) -> OutputRange | None:
        """The range of the baseline's rows."""
        return self.ranges.get(Role.BASELINE)

    @property
    def is_in_unit_interval(self) -> bool:
        """Whether all numbers are in [0, 1]."""
        return self.low >= 0.0 and self.high <= 1.0

    @property
    def wide_sides(self) -> tuple[int, ...]:
        """The sides that are not 1."""
        free = self.declared or self.sides
        return tuple(side for side, given in zip(self.sides, free, strict=True) if side != 1 or given < 0)

    @property
    def has_leader(self) -> bool:
        """Whether one index wins nearly all places."""
        return self.lead >= LEADING_SHARE

    def __str__(self) -> str:
        return f"{self.name} [{', '.join(('rows', *map(str, self.sides)))}]"


@dataclass(frozen=True, slots=True)
class PairFindings:
    """The findings about the tensors that callers send and get."""

    inputs: Sequence[InputFinding]
    outputs: Sequence[OutputFinding]
