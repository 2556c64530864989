"""The warning is set at a look, ends after enough quiet rows, and says what to do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.judgement.comparisons import bit_exact, make_comparisons
from tightrope.monitors.dependence.allan import STRIDE_ROWS
from tightrope.monitors.dependence.blocks import Block
from tightrope.monitors.dependence.senders import Senders
from tightrope.monitors.dependence.units import EvidenceUnit, Independence
from tightrope.monitors.dependence.warning import QUIET_ROWS, Dependence, dependence_text
from tightrope.monitors.records import Stream

BURSTS = np.repeat(np.random.default_rng(1).random(64 * 8) < 0.1, 8).astype(float)
"""4,096 rows, eight alike in a row."""

ROWS = Block(0, (64,) * 64)


def test_warning_is_set_at_the_first_look_that_shows_it() -> None:
    """At the tick of that look, and no earlier."""
    found, at_once = Dependence().first_change(BURSTS, ROWS.tick_of_row, EvidenceUnit(), ROWS)
    assert found == 15
    before = Dependence().after(BURSTS, ROWS.tick_of_row, EvidenceUnit(), ROWS, 15)
    after = Dependence().after(BURSTS, ROWS.tick_of_row, EvidenceUnit(), ROWS, 16)
    assert (before.warned, after.warned, after.quiet) == (False, True, 0)
    assert bit_exact(at_once) == bit_exact(after)
    assert after.effect > 1.3
    assert len(before.sums.tail) == STRIDE_ROWS - 64


@pytest.mark.parametrize(("unit", "quiet_end"), [(EvidenceUnit(Independence.REQUEST), 15), (EvidenceUnit(), 31)])
def test_warning_ends_after_quiet_rows(unit: EvidenceUnit, quiet_end: int) -> None:
    """With ``auto`` at the end of a window, here half a window later; elsewhere at the look itself."""
    warned = Dependence(warned=True, quiet=QUIET_ROWS - STRIDE_ROWS, block=16, effect=2.0)
    open_rows = {Stream.COMPARISONS: 1024 - 2048 + 64} if unit.widens else {}
    quiet = (np.random.default_rng(2).random(4096) < 0.1).astype(float)
    found, _ = replace(warned, window_rows=open_rows).first_change(quiet, ROWS.tick_of_row, unit, ROWS)
    assert found == quiet_end - (1 if unit.widens else 0)


@given(st.integers(1, 4_000), st.integers(0, 1_000))
def test_without_a_change_the_dependence_is_that_at_the_end(rows: int, seed: int) -> None:
    """Computed once, whether it is asked for a change or for what follows."""
    y = (np.random.default_rng(seed).random(rows) < 0.05).astype(float)
    block = Block(0, tuple(min(64, rows - begin) for begin in range(0, rows, 64)))
    found, after = Dependence().first_change(y, block.tick_of_row, EvidenceUnit(), block)
    assert found is None
    assert bit_exact(after) == bit_exact(Dependence().after(y, block.tick_of_row, EvidenceUnit(), block, block.ticks))


def test_windows_end_after_their_rows() -> None:
    """A window consists of ticks: one of 1,024 rows ends with the tick that reaches them."""
    dependence = Dependence(warned=True, window_rows={Stream.COMPARISONS: 1000})
    block = Block(0, (64, 1000, 30, 64))
    assert dependence.window_ends(EvidenceUnit(), Stream.COMPARISONS, block).tolist() == [0, 2]
    assert dependence.window_ends(EvidenceUnit(), Stream.LABELS, block).tolist() == [1]
    assert dependence.rows_of_window(EvidenceUnit(), Stream.COMPARISONS, block, 1) == 0
    assert dependence.rows_of_window(EvidenceUnit(), Stream.COMPARISONS, block, 2) == 1000
    assert dependence.rows_of_window(EvidenceUnit(), Stream.COMPARISONS, block, 4) == 64
    assert dependence.window_ends(EvidenceUnit(Independence.REQUEST), Stream.LABELS, block).tolist() == []


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (EvidenceUnit(), "1,024 rows are one step of evidence, and the evidence started anew; write models.m.caller"),
        (EvidenceUnit(has_callers=True), "4,096 rows of a caller are one step of evidence, and the evidence started"),
        (EvidenceUnit(Independence.WINDOW), "1,024 rows are one step of evidence; write models.m.caller"),
        (EvidenceUnit(Independence.REQUEST, has_callers=True), "than promised: set models.m.independence: auto"),
    ],
)
def test_text_says_what_to_do(unit: EvidenceUnit, words: str) -> None:
    """For each unit; callers that send most are named."""
    warned = Dependence(warned=True, block=64, effect=2.345)
    text = dependence_text(warned, unit, "m")
    assert text.startswith(
        "rows depend on each other: blocks of 64 vary 2.3 times as much as those of independent rows; "
    )
    assert words in text
    n = 40
    senders = Senders().add(make_comparisons(n, caller=[5] * n), np.ones(n, dtype=bool), np.zeros(n, dtype=bool))
    assert ("one caller sends" in dependence_text(replace(warned, senders=senders), unit, "m")) is unit.has_callers


def test_end_of_the_warning_is_told() -> None:
    """With the unit that counts again, where it had changed."""
    assert "the rows of a request are one step of evidence again" in dependence_text(Dependence(), EvidenceUnit(), "m")
    fixed = EvidenceUnit(Independence.CALLER, has_callers=True)
    assert dependence_text(Dependence(), fixed, "m").endswith("depend on each other")
