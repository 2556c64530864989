"""Repeats are recognised within the latest rows, however these are batched; their shares are told with hysteresis."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, make_comparisons
from tightrope.monitors.intake.repeats import (
    ID_REQUESTS,
    MAX_POPULAR,
    MEMORY_ROWS,
    MIN_SHARE_ROWS,
    POPULAR_ROWS,
    SHARE_REQUESTS,
    PopularInput,
    RepeatMemory,
    RepeatWarning,
    first_rows,
    popular_text,
    remember_rows,
    repeated_inputs,
    warning_text,
)
from tightrope.monitors.records import Comparisons


def rows(ids: list[int], inputs: list[int], start: float = 0.0) -> Comparisons:
    """Rows of these requests with these inputs, one a second."""
    return make_comparisons(len(ids), offset=ids, time=start + np.arange(len(ids)), twin=inputs)


def remember(*batches: Comparisons) -> RepeatMemory:
    """The memory after these batches."""
    memory = RepeatMemory()
    for batch in batches:
        memory = remember_rows(memory, batch, 0, 0)
    return memory


@settings(deadline=None, max_examples=40)
@given(inputs=st.lists(st.integers(1, 4), max_size=40), cut=st.integers(0, 40))
def test_memory_does_not_depend_on_batches(inputs: list[int], cut: int) -> None:
    """One batch or two give the same memory, so a restarted judge counts the same rows."""
    ids = [value % 3 for value in inputs]
    whole = rows(ids, inputs)
    parts = whole.take(slice(0, cut)), whole.take(slice(cut, None))
    assert bit_exact(remember(*parts)) == bit_exact(remember(whole))


def test_input_is_repeated_within_the_memory_only() -> None:
    """The 4,096 rows before count, those of the same batch too; unknown inputs equal none."""
    memory = remember(rows([1, 2], [7, 0]), rows(list(range(MEMORY_ROWS - 2)), list(range(100, 98 + MEMORY_ROWS))))
    later = rows([1, 2, 3, 4, 5], [7, 0, 100, 8, 8])
    assert repeated_inputs(memory, later).tolist() == [True, False, True, False, True]
    assert not repeated_inputs(remember_rows(memory, rows([9], [9]), 0, 0), rows([1], [7])).any()


def test_rows_of_one_request_are_one_request() -> None:
    """They follow each other and share their time; a retry comes at another time."""
    assert first_rows(("a", "a", "a", "b", "a"), np.array([1.0, 1.0, 2.0, 2.0, 2.0])).tolist() == [
        True,
        False,
        True,
        True,
        True,
    ]


def test_share_of_repeated_requests_is_told_above_a_fifth() -> None:
    """The share is over 10,000 requests; other inputs under a known id are no repeat."""
    other_inputs = [rows([1] * 1000, list(range(start, start + 1000)), start) for start in range(1, 12_000, 1000)]
    assert remember(*other_inputs).repeated_share == 0.0
    share = 0.21
    repeated = int(share * SHARE_REQUESTS)
    inputs = [1] * (repeated + 1) + list(range(2, SHARE_REQUESTS - repeated + 1))
    assert len(inputs) == SHARE_REQUESTS
    memory = remember(rows([number if value > 1 else 0 for number, value in enumerate(inputs)], inputs))
    assert memory.repeated_share == pytest.approx(share)
    assert memory.warnings == (RepeatWarning.REQUESTS,)
    assert warning_text(memory, RepeatWarning.REQUESTS).startswith("21% of 10000 requests repeat")


def test_one_id_is_an_early_warning_that_ends_below_a_quarter() -> None:
    """Above half of the latest 1,000 requests it begins; between, nothing changes, so that events are few."""

    def batch(share: float, start: int) -> Comparisons:
        own = int(share * ID_REQUESTS)
        numbers = list(range(start, start + ID_REQUESTS))
        return rows([0] * own + numbers[own:], numbers, start)

    memory = RepeatMemory()
    for number, (share, warns) in enumerate([(0.4, False), (0.51, True), (0.4, True), (0.24, False), (0.4, False)]):
        memory = remember_rows(memory, batch(share, 1000 * (number + 1)), 0, 0)
        assert memory.id_share == pytest.approx(share)
        assert (memory.warnings == (RepeatWarning.ONE_ID,)) is warns
    assert "one request id has 40%" in warning_text(memory, RepeatWarning.ONE_ID)


def test_share_of_repeated_inputs_needs_rows() -> None:
    """With few rows it is 0; then it is the share that equals another one."""
    few = rows(list(range(MIN_SHARE_ROWS - 1)), [1] * (MIN_SHARE_ROWS - 1))
    assert remember(few).input_share == 0.0
    assert remember(few, rows([9], [1])).input_share == 1 - 1 / MIN_SHARE_ROWS


def test_uncounted_rows_are_summed_by_reason() -> None:
    """Retries and repeated inputs apart."""
    memory = remember_rows(remember_rows(RepeatMemory(), rows([1], [1]), 3, 1), rows([2], [2]), 1, 0)
    assert memory.uncounted == {"retry": 4, "input": 1}


def test_popular_inputs_on_which_the_models_differ_are_listed() -> None:
    """Those with the most differing rows first, at most eight; agreeing, rare and unknown inputs do not count."""
    inputs = np.repeat([*range(1, 12), 0, 20, 21], [100 + i for i in range(11)] + [300, POPULAR_ROWS - 1, 500])
    differ = inputs != 21
    differ[:50] = False
    shuffled = np.random.default_rng(0).permutation(len(inputs))
    given = make_comparisons(len(inputs), twin=inputs[shuffled], disagree=differ[shuffled])
    popular = remember(given).popular
    assert popular == tuple(PopularInput(110 - i, 110 - i) for i in range(MAX_POPULAR))
    assert "8 inputs make 852 of the latest " in popular_text(remember(given))


def test_one_popular_input_is_told_in_words() -> None:
    """Without any there is nothing to say, and a state of an earlier version does not tell what differs."""
    memory = remember(make_comparisons(400, twin=np.arange(400) % 2 * np.arange(400) + 1, disagree=True))
    assert memory.popular == (PopularInput(200, 200),)
    assert popular_text(memory).startswith("one input makes 200 of the latest 400 rows, and the models differ there, ")
    before = replace(memory, differ=np.zeros(0, dtype=bool))
    assert (before.popular, popular_text(before)) == ((), "")
    assert remember_rows(before, rows([1], [1]), 0, 0).differ.tolist() == [False] * 401
