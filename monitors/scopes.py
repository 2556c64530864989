"""Names of subgroups, ``attribute=value`` (`OTHER_VALUE` stands for all undeclared values), and which are unseen.

A declared subgroup that never gets a row is unwatched without notice: a caller spells its value in another way, or its
code is not what the column holds. It is unseen when the traffic since its last row should have brought some.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.added_scopes.added_scope import HOST_ATTRIBUTE
from tightrope.monitors.records import Bools, Comparisons, Floats, Ints

OTHER_VALUE = "other"
"""The value of the scope that has a row without any declared value of the attribute."""


UNSEEN_ROWS = 20.0
"""Rows that the traffic since the last row of a scope should have brought: that none came is no chance."""

FIRST_ROWS = 10_000.0
"""Rows of the model after which a scope that never had one is unseen."""

SHARE_ROWS = 1_000.0
"""Rows over which a scope's past share is taken at the least: a few rows at the start tell little about it."""


def scope_name(attribute: str, value: str) -> str:
    """Return the name of a subgroup.

    >>> scope_name("sex", OTHER_VALUE)
    'sex=other'
    """
    return f"{attribute}={value}"


def is_other(scope: str) -> bool:
    """Tell whether a scope has the rows without a declared value.

    >>> [is_other(scope) for scope in ("model", "sex=f", "sex=other")]
    [False, False, True]
    """
    return scope.endswith(f"={OTHER_VALUE}")


def with_other_scopes(rows: Comparisons, scopes: Sequence[str]) -> Comparisons:
    """Add the scopes ``attribute=other`` to rows of a gateway of the first release, which does not have them: a row
    without a declared value of the attribute is in it. Rows with any other difference from ``scopes`` are not changed.

    >>> rows = Comparisons.from_columns(2, scopes=("sex=f", "sex=m"), member=[[True, False], [False, False]])
    >>> with_other_scopes(rows, ("sex=f", "sex=m", "sex=other")).member[:, 2].tolist()
    [False, True]
    """
    if rows.scopes == tuple(scopes) or rows.scopes != tuple(scope for scope in scopes if not is_other(scope)):
        return rows
    member = np.zeros((len(rows), len(scopes)), dtype=bool)
    attributes = [scope.partition("=")[0] for scope in scopes]
    declared = [index for index, scope in enumerate(scopes) if not is_other(scope)]
    member[:, declared] = rows.member
    for index, attribute in enumerate(attributes):
        if index not in declared:
            values = [other for other in declared if attributes[other] == attribute]
            member[:, index] = ~rows.member[:, [declared.index(value) for value in values]].any(axis=1)
    return replace(rows, scopes=tuple(scopes), member=member)


def following_scopes(scopes: Sequence[str], safe: Collection[str]) -> tuple[str, ...]:
    """Return the scopes ``attribute=other`` that follow a safe value of their attribute to the baseline.

    A caller who leaves the value out, or misspells it, must not leave safe mode by that. Callers do not choose their
    host: its classes follow none.

    >>> following_scopes(("sex=f", "sex=other", "age=old", "age=other"), {"sex=f"})
    ('sex=other',)
    """
    attributes = {scope.partition("=")[0] for scope in safe if "=" in scope} - {HOST_ATTRIBUTE}
    others = (scope for scope in scopes if is_other(scope) and scope not in safe)
    return tuple(scope for scope in others if scope.partition("=")[0] in attributes)


def rows_to_be_unseen(compared: Ints, sighted: Ints) -> Floats:
    """Return the rows of the model without one of a scope that make it unseen, (S,), from its past share of them.

    ``compared`` (S,) counts the rows of each scope, ``sighted`` (S,) those of the model up to the scope's last row.

    >>> rows_to_be_unseen(np.array([5000, 100, 0]), np.array([5000, 4000, 0])).tolist()
    [20.0, 800.0, 10000.0]
    """
    past = np.maximum(sighted, SHARE_ROWS)
    return np.where(compared > 0, UNSEEN_ROWS * past / np.maximum(compared, 1), FIRST_ROWS)


def unseen_scopes(scopes: Sequence[str], compared: Ints, sighted: Ints) -> Bools:
    """Mask the declared subgroups that are unseen, (S,); the first scope is the model. All values may be declared, so
    ``attribute=other`` never is; nor is a class of hosts, whose machines may be gone.

    >>> unseen_scopes(("model", "sex=f", "sex=other"), np.array([10_000, 0, 0]), np.array([10_000, 0, 0])).tolist()
    [False, True, False]
    """
    hosts = f"{HOST_ATTRIBUTE}="
    declared = np.array([i > 0 and not is_other(s) and not s.startswith(hosts) for i, s in enumerate(scopes)])
    return np.asarray(declared & (compared[0] - sighted >= rows_to_be_unseen(compared, sighted)))


def rows_of_scopes(masks: Sequence[Bools], member: Bools) -> Ints:
    """Count the rows of each scope in each of k masks (n,), (k, S), by their membership (n, S): one product of matrices
    costs less than a sum of each, and numbers of fewer than 2**24 rows are exact in it.

    >>> rows_of_scopes([np.array([True, False])], np.array([[True, False], [True, True]])).tolist()
    [[1, 0]]
    """
    counts = np.array(masks, np.float32) @ member.astype(np.float32)
    return np.asarray(counts.astype(np.int64))


def last_sighted(sighted: Ints, rows: int, member: Bools) -> Ints:
    """Return ``sighted`` (S,) after further rows, with membership (n, S), of a model that had ``rows`` before.

    >>> last_sighted(np.array([7, 3]), 7, np.array([[True, True], [True, False]])).tolist()
    [9, 8]
    """
    backwards = member[::-1]
    after = backwards.argmax(axis=0)
    found = np.take_along_axis(backwards, after[None], axis=0)[0]
    return np.asarray(np.where(found, rows + len(member) - after, sighted))


def latest_faulty(before: Bools, faulty: Bools, member: Bools, tick_of_row: Ints) -> Bools:
    """Tell, per scope, whether the latest tick with rows of it had a fault, (S,), from the faults (n,), the membership
    (n, S) and the ticks (n,) of rows in order; a scope without rows stays as ``before``.

    >>> member = np.array([[True, False], [True, True]])
    >>> latest_faulty(np.array([False, False]), np.array([True, False]), member, np.array([0, 1])).tolist()
    [False, False]
    """
    if not (before.any() or faulty.any()):
        return before
    if not faulty.any():
        return np.asarray(before & ~member.any(axis=0))
    latest = np.where(member, tick_of_row[:, None], -1).max(axis=0)
    failed = (member & faulty[:, None] & (tick_of_row[:, None] == latest)).any(axis=0)
    return np.asarray(np.where(latest >= 0, failed, before))


def with_model_scope(member: Bools) -> Bools:
    """Prepend the model, which has every row, to the membership of subgroups (n, S - 1): (n, S)."""
    return np.concatenate([np.ones((len(member), 1), dtype=bool), member], axis=1)
