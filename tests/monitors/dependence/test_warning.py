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
from tightrope.monitors.dependence.warning import LIKENESS_ROWS, QUIET_ROWS, Dependence, dependence_text
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


def alike(rows: int) -> np.ndarray:
    """Losses, none, and the confidence of ten callers in turn who send the same again and again, (n, 2)."""
    own = np.random.default_rng(4).random(10)
    return np.column_stack([np.zeros(rows), own[np.arange(rows) % 10]])


def test_likeness_of_the_first_rows_warns_before_a_loss() -> None:
    """At a look after 64 rows each; in the text a person reads which rows resemble each other."""
    found, after = Dependence().first_change(alike(4096), ROWS.tick_of_row, EvidenceUnit(), ROWS)
    assert (found, after.alike, after.likeness.known, after.quiet) == (0, 10, True, QUIET_ROWS - LIKENESS_ROWS)
    text = dependence_text(after, EvidenceUnit(), "m")
    assert text.startswith(
        "rows may depend on each other: the baseline is as sure as on earlier rows, most of all on those 10 before; "
        "1,024 rows are one step of evidence"
    )


def test_warning_of_likeness_ends_after_fewer_rows() -> None:
    """Unless the losses show dependence meanwhile: then it is theirs, and lasts as long as theirs."""
    block = Block(0, (64,) * 192)
    _, warned = Dependence().first_change(alike(64), ROWS.tick_of_row[:64], EvidenceUnit(), Block(0, (64,)))
    found, after = warned.first_change(alike(12_288), block.tick_of_row, EvidenceUnit(), block)
    assert found is not None
    assert 64 * (found + 1) == LIKENESS_ROWS
    assert (after.warned, after.alike) == (False, 0)
    losses = np.column_stack([np.tile(BURSTS, 3), np.full(12_288, 0.5)])
    lost = warned.after(losses, block.tick_of_row, EvidenceUnit(), block, block.ticks)
    assert (lost.warned, lost.alike, lost.quiet) == (True, 0, 0)


def test_first_rows_without_likeness_are_forgotten() -> None:
    """And later rows are not looked at, even if they are alike."""
    rng = np.random.default_rng(5)
    first = np.column_stack([np.zeros(1024), rng.random(1024)])
    quiet = Dependence().add(first)
    assert (quiet.warned, quiet.likeness.known, len(quiet.likeness.confidence)) == (False, True, 0)
    assert not quiet.add(alike(1024)).warned


@given(st.lists(st.integers(1, 2_000), min_size=1, max_size=5), st.booleans())
def test_cuts_of_the_first_rows_change_nothing(sizes: list[int], is_alike: bool) -> None:  # noqa: FBT001 - drawn
    """Neither the warning nor what is kept of the rows."""
    rows = sum(sizes)
    y = alike(rows) if is_alike else np.random.default_rng(rows).random((rows, 2)).round()
    parts, begin = Dependence(), 0
    for size in sizes:
        parts, begin = parts.add(y[begin : begin + size]), begin + size
    assert bit_exact(parts) == bit_exact(Dependence().add(y))
