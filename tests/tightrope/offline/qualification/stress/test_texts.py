import numpy as np
import pytest

from tightrope.offline.qualification.stress.columns import NotApplicableError
from tightrope.offline.qualification.stress.texts import tokens, typos
from tightrope.service.config.qualification import TokensSection

TEXTS = np.array([["the quick brown fox a"], ["jumps over the lazy dog"]], dtype=object)
SECTION = TokensSection(input="ids", share=0.5, keep=[101, 102])


def test_words_get_one_typing_mistake_each() -> None:
    """Two letters change places, one is lost, or one is doubled; a single letter stays."""
    (all_wrong,) = typos([{"t": TEXTS}], 1.0, seed=1)
    for before, after in zip(TEXTS.ravel(), all_wrong["t"].ravel(), strict=True):
        words = [*zip(before.split(" "), after.split(" "), strict=True)]
        assert all(abs(len(old) - len(new)) <= 1 and {*new} <= {*old} for old, new in words)
        assert sum(old != new for old, new in words if len(old) > 1) >= 3
    assert all_wrong["t"][0, 0].endswith(" a")
    (some,) = typos([{"t": TEXTS}], 0.3, seed=1)
    (again,) = typos([{"t": TEXTS}], 0.3, seed=1)
    assert np.array_equal(some["t"], again["t"])


def test_bytes_stay_bytes() -> None:
    """Those that are no UTF-8, too."""
    (changed,) = typos([{"t": np.array([b"ab\xff cd"], dtype=object)}], 1.0, seed=1)
    assert isinstance(changed["t"][0], bytes)
    assert b"\xff" in changed["t"][0] or len(changed["t"][0]) < 6
    with pytest.raises(NotApplicableError, match="no input has texts"):
        typos([{"x": np.zeros((2, 2))}], 0.5, seed=1)


def test_ids_are_left_out_with_their_mask_and_those_of_the_frame_stay() -> None:
    """The others move to the left in their order, and zeros fill the right."""
    ids = np.array([[101, *range(1, 41), 102]] * 3)
    (part,) = tokens([{"ids": ids, "mask": np.ones_like(ids), "x": np.zeros((3, 2))}], SECTION, seed=1)
    for row, mask in zip(part["ids"], part["mask"], strict=True):
        kept = row[row > 0].tolist()
        assert kept[0] == 101
        assert kept[-1] == 102
        assert kept == [101, *sorted(kept[1:-1]), 102]
        assert 10 < len(kept) < 35
        assert mask.tolist() == [1] * len(kept) + [0] * (42 - len(kept))
    assert part["ids"].dtype == ids.dtype
    with pytest.raises(NotApplicableError, match="ids is no input of integers"):
        tokens([{"x": np.zeros((3, 2))}], SECTION, seed=1)
