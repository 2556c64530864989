"""Scenarios of texts: typing mistakes in words, and ids of tokens that are left out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.qualification.split import draw
from tightrope.monitors.records import Bools, Tensors
from tightrope.offline.qualification.stress.columns import NotApplicableError, copied
from tightrope.service.config.qualification import TokensSection

ID_AXES = 2


def typos(parts: Sequence[Tensors], share: float, seed: int) -> Sequence[Tensors]:
    """Give words of texts a typing mistake: two letters change places, one is lost, or one is doubled.

    Raises:
        NotApplicableError: when no input has texts.
    """
    names = [name for name, tensor in parts[0].items() if tensor.dtype.kind in "OSU"]
    if not names:
        raise NotApplicableError("no input has texts")
    changed = [dict(part) for part in parts]
    for part in changed:
        for name in names:
            texts = np.array(part[name], dtype=object)
            texts[...] = np.reshape([_mistyped(each, share, seed) for each in texts.ravel()], texts.shape)
            part[name] = texts
    return changed


def _mistyped(text: str | bytes, share: float, seed: int) -> str | bytes:
    if isinstance(text, bytes):
        return str(_mistyped(text.decode(errors="surrogateescape"), share, seed)).encode(errors="surrogateescape")
    words = text.split(" ")
    return " ".join(_mistyped_word(word, index, share, seed) for index, word in enumerate(words))


def _mistyped_word(word: str, index: int, share: float, seed: int) -> str:
    key = f"{index} {word}".encode(errors="surrogateescape")
    if len(word) < 2 or draw("typo", seed, key) >= share:  # noqa: PLR2004 - a letter has no neighbour
        return word
    at = int(draw("typo at", seed, key) * (len(word) - 1))
    kind = int(draw("typo kind", seed, key) * 3)
    middle = (word[at + 1] + word[at], word[at], word[at] * 2 + word[at + 1])[kind]
    return word[:at] + middle + word[at + 2 :]


def tokens(parts: Sequence[Tensors], section: TokensSection, seed: int) -> Sequence[Tensors]:
    """Leave out ids; those that follow move to the left, and zeros are filled in at the right. Inputs of integers with
    the same shape, such as a mask, lose the same positions.

    Raises:
        NotApplicableError: when the input has no ids.
    """
    ids = parts[0].get(section.input)
    if ids is None or ids.dtype.kind not in "iu" or ids.ndim != ID_AXES:
        raise NotApplicableError(f"{section.input} is no input of integers with an axis of positions")
    changed = [copied(part) for part in parts]
    for part in changed:
        left = _kept_positions(part[section.input], section, seed)
        for name, tensor in part.items():
            if tensor.shape == left.shape and tensor.dtype.kind in "iu":
                part[name] = _moved_left(tensor, left)
    return changed


def _kept_positions(ids: NDArray[Any], section: TokensSection, seed: int) -> Bools:
    drawn = [
        [draw(f"token {position}", seed, row.tobytes()) for position in range(ids.shape[1])]
        for row in ids.astype("<i8")
    ]
    return np.asarray((np.array(drawn) >= section.share) | np.isin(ids, section.keep))


def _moved_left(tensor: NDArray[Any], left: Bools) -> NDArray[Any]:
    order = np.argsort(~left, axis=1, kind="stable")
    moved = np.take_along_axis(tensor, order, axis=1)
    return np.where(np.arange(left.shape[1]) < left.sum(axis=1, keepdims=True), moved, 0).astype(tensor.dtype)
