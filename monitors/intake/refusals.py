"""Counts of compared rows that either model refuses, for each scope: both models ran on all of them.

The monitors of refusals test how the two models differ; these counts say how often each of them refuses at all.
"""

from collections.abc import Mapping

import numpy as np

from tightrope.monitors.records import Bools, Comparisons, Fault, Ints, Role
from tightrope.monitors.scopes import rows_of_scopes

RefusedRows = Mapping[Role, Ints]
"""Rows without a fault, and those of them that the role refuses, of each scope, (S, 2), by role."""


def count_refusals(before: RefusedRows, rows: Comparisons, member: Bools) -> RefusedRows:
    """Add rows with their membership, (n, S), to the counts.

    >>> rows = Comparisons.from_columns(3, refused_compressed=[True, False, False])
    >>> count_refusals({}, rows, np.ones((3, 1), dtype=bool))[Role.COMPRESSED].tolist()
    [[3, 1]]
    """
    sound = rows.fault == Fault.NONE
    read, *refused = rows_of_scopes([sound, sound & rows.refused_baseline, sound & rows.refused_compressed], member)
    counts = {}
    for role, own in zip((Role.BASELINE, Role.COMPRESSED), refused, strict=True):
        added = np.stack([read, own], axis=1)
        counts[role] = before.get(role, np.zeros_like(added)) + added
    return counts


def refusal_rate(refused: RefusedRows, role: Role, scope: int) -> float | None:
    """The share of a scope's rows that a role refuses; None without rows.

    >>> refusal_rate({Role.BASELINE: np.array([[8, 2], [4, 1]])}, Role.BASELINE, 1)
    0.25
    """
    rows, own = refused[role][scope].tolist() if role in refused else (0, 0)
    return own / rows if rows else None
