"""A hotspot: a tensor whose change alone moves answers. For people to look at; it gates nothing."""

import msgspec


class Hotspot(msgspec.Struct, frozen=True):
    """A tensor of the baseline and its ``change``; ``seen`` is the share or mean of the shown criterion in each scope
    on all rows, empty where the changed model cannot answer, and ``worst`` the subgroup with the largest one.
    ``decibels`` are the tensor's signal over the noise of the change.
    """

    tensor: str
    change: str
    decibels: float
    seen: dict[str, float]
    worst: str | None

    @property
    def order(self) -> float:
        """The largest share, in all rows or in the worst group."""
        return max(map(abs, self.seen.values()), default=0.0)
