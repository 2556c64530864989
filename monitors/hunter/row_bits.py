"""Rows as bits of words: those that satisfy predicates, and those of slices, which are counted by words of 64."""

import numpy as np

from tightrope.monitors.records import Bools, Floats, Hashes, Ints

RowBits = Hashes
"""Rows as bits of words of 64."""

SEPARATE_ROWS = 512
"""Rows from which predicates are compared one by one: the values of all predicates would not fit the caches."""


def satisfied(vectors: Floats, column: Ints, low: Floats, high: Floats) -> Bools:
    """The rows (n, width) that satisfy each of P predicates, (P, n)."""
    values = np.ascontiguousarray(vectors.T)
    if len(vectors) < SEPARATE_ROWS:
        values = values[column]
        return np.asarray((values >= low[:, None]) & (values <= high[:, None]))
    found = np.empty((len(column), len(vectors)), dtype=bool)
    for own, index, lowest, highest in zip(found, column.tolist(), low.tolist(), high.tolist(), strict=True):
        if lowest == highest:
            np.equal(values[index], lowest, out=own)
        else:
            np.logical_and(values[index] >= lowest, values[index] <= highest, out=own)
    return found


def packed(masks: Bools) -> RowBits:
    """Masks (…, n) as bits of words, (…, ceil(n / 64)).

    >>> packed(np.array([[True, False, True]])).tolist()
    [[5]]
    """
    words = -(-masks.shape[-1] // 64)
    filled = np.zeros((*masks.shape[:-1], 8 * words), np.uint8)
    octets = np.packbits(masks, axis=-1, bitorder="little")
    filled[..., : octets.shape[-1]] = octets
    return filled.view(np.uint64)


def unpacked(words: RowBits, rows: int) -> Bools:
    """The masks (…, n) of words, for n rows."""
    return np.unpackbits(words.view(np.uint8), axis=-1, count=rows, bitorder="little").astype(bool)


def row_counts(member: RowBits) -> Floats:
    """The number of rows of each slice, (S,), from its words (S, words)."""
    ones = np.bitwise_count(member)
    return np.asarray(ones[:, 0].astype(np.float64) if ones.shape[1] == 1 else ones.sum(axis=1, dtype=np.float64))


def losses_of(words: RowBits, loss: Floats) -> Floats:
    """The losses (n,) of the rows of each slice together, (S,), from its words (S, words)."""
    if ((loss == 0) | (loss == 1)).all():
        return row_counts(words & packed(loss > 0))
    return np.asarray(unpacked(words, len(loss)).astype(np.float64) @ loss)
