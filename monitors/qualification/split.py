"""The split of rows into a part that chooses and a part that judges, and the scopes that the first one withholds."""

import hashlib
from collections.abc import Iterable

import numpy as np

from tightrope.monitors.records import Bools

CHOOSING_SHARE = 0.3
"""The share of the rows that choose; the others judge."""

DRAW_BYTES = 8


def draw(purpose: str, seed: int, row: bytes) -> float:
    """A number in [0, 1) that depends on a row and a seed alone, so that equal rows are drawn together.

    >>> draw("split", 1, b"row") == draw("split", 1, b"row") != draw("split", 2, b"row")
    True
    """
    digest = hashlib.sha256(f"tightrope {purpose} {seed}\0".encode() + row).digest()
    return int.from_bytes(digest[:DRAW_BYTES], "big") / 2.0 ** (8 * DRAW_BYTES)


def choosing_rows(rows: Iterable[bytes], seed: int) -> Bools:
    """Mask the rows that choose, (n,), by the bytes of each row's inputs, little-endian, in the model's datatypes."""
    return np.array([draw("split", seed, row) < CHOOSING_SHARE for row in rows], dtype=bool)


def judging_rows(chosen: Bools, member: Bools, withheld: Iterable[int]) -> Bools:
    """Mask the rows that judge, (n,): neither chosen nor in a withheld scope, by membership (n, S).

    >>> member = np.array([[True, False], [True, True], [True, True]])
    >>> judging_rows(np.array([False, False, True]), member, [1]).tolist()
    [True, False, False]
    """
    return np.asarray(~chosen & ~member[:, [*withheld]].any(axis=1))
