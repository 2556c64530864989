"""The entry of a scope: which monitor is shown, whether it returns, and its place among the others."""

import math
from dataclasses import replace

import pytest

from tightrope.monitors.records import Outcome
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.monitors.verdict import Interval, Outlook, Verdict
from tightrope.service.api.overview.scopes import (
    ScopeSource,
    evidence_share,
    returns,
    scope_entry,
    shown_verdict,
    way_back,
    with_checks,
)

NOW = Interval(mean=0.02, lower=0.01, upper=0.04, rows=300)
CALM = Verdict("a=b", "disagreement", Outcome.PASS, 300, 60.0, 0.02, 0.02, 0.1, 0.4, 8.0, None, 5.0, 0, now=NOW)
SURE = replace(CALM, monitor="confidence", evidence=4.0, now=replace(NOW, mean=-0.05, lower=-0.08, upper=-0.01))
TRIPPED = replace(CALM, outcome=Outcome.BREACH, recovery=1.0, now=replace(NOW, mean=0.5, lower=0.4, upper=0.6))
SAFE = Mode(ModeState.SAFE, since=50.0)
SOURCE = ScopeSource(
    "a=b", Mode(), "small", [CALM], 300, 0.1, 2.0, None, None, "", follows=False, recovery_ratio=0.75, armed=True
)


def outlook(rows: float, *, never: bool = False) -> Outlook:
    """Return an outlook of a row a second."""
    return Outlook(rows, math.inf, rows, math.inf, never=never)


def test_monitor_with_evidence_is_shown_and_else_the_disagreement() -> None:
    """From a fifth of what an alarm needs on; of tripped ones that of the largest rate beside its limit."""
    assert shown_verdict(SOURCE) == CALM
    assert shown_verdict(replace(SOURCE, verdicts=[CALM, SURE])) == SURE
    assert shown_verdict(replace(SOURCE, verdicts=[CALM, replace(SURE, evidence=1.0)])) == CALM
    assert shown_verdict(replace(SOURCE, verdicts=[SURE, TRIPPED])) == TRIPPED
    assert shown_verdict(replace(SOURCE, verdicts=[replace(CALM, monitor="sight")])) is None


@pytest.mark.parametrize(
    ("mode", "verdicts", "expected"),
    [
        (SAFE, [replace(TRIPPED, outlook=outlook(40.0))], (True, 40.0)),
        (SAFE, [replace(TRIPPED, outlook=outlook(40.0)), replace(TRIPPED, outlook=outlook(90.0))], (True, 90.0)),
        (SAFE, [replace(TRIPPED, outlook=outlook(40.0)), TRIPPED], (None, None)),
        (SAFE, [replace(TRIPPED, outlook=outlook(math.inf, never=True)), TRIPPED], (False, None)),
        (SAFE, [replace(TRIPPED, outlook=outlook(math.inf))], (False, None)),
        (SAFE, [CALM], (None, None)),
        (replace(SAFE, held=True), [replace(TRIPPED, outlook=outlook(40.0))], (None, None)),
        (replace(SAFE, state=ModeState.LATCHED), [TRIPPED], (False, None)),
        (Mode(), [CALM], (None, None)),
    ],
)
def test_return_is_promised_only_where_it_is_projected(
    mode: Mode, verdicts: list[Verdict], expected: tuple[bool | None, float | None]
) -> None:
    """For every tripped monitor; the slowest one counts."""
    assert returns(replace(SOURCE, mode=mode, verdicts=verdicts)) == expected


def test_evidence_and_way_back_are_shares() -> None:
    """They are shares of the needs of an alarm, and of a return; without rows both are zero."""
    assert evidence_share(SURE) == 0.5
    assert evidence_share(replace(SURE, evidence=-math.inf)) == 0.0
    assert (way_back(TRIPPED), way_back(CALM)) == (0.2, None)
    assert way_back(replace(TRIPPED, recovery=-math.inf)) == 0.0


def test_worst_scopes_have_the_largest_figure() -> None:
    """Those that stay with the full model, those in safe mode, held ones, then by evidence."""
    sources = [
        replace(SOURCE, mode=Mode(ModeState.LATCHED), verdicts=[TRIPPED]),
        replace(SOURCE, mode=SAFE, verdicts=[TRIPPED]),
        replace(SOURCE, mode=Mode(held=True)),
        replace(SOURCE, verdicts=[CALM, SURE]),
        SOURCE,
    ]
    order = [scope_entry(source)["worst"] for source in sources]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)


def test_entry_has_its_mode_its_rate_and_its_checks() -> None:
    """A scope that is well has no time, no person and no way back."""
    entry = scope_entry(replace(SOURCE, mode=SAFE, answers="full", verdicts=[TRIPPED]))
    assert (entry["since"], entry["way_back"], entry["own"], entry["below"]) == (50.0, 0.2, True, False)
    assert (entry["rate"], entry["range"]) == (0.5, [0.4, 0.6])
    well = with_checks(scope_entry(SOURCE), SOURCE)
    assert (well["since"], well["by"], well["way_back"], well["why"]) == (None, None, None, None)
    assert well["checks"][0]["says"] == "2.0 % (1.0 to 4.0 %) of answers differ, 10 % tolerated"


def test_scope_with_too_few_rows_is_unseen() -> None:
    """With the rows that it has, and those that it needs."""
    few = replace(CALM, outcome=Outcome.INSUFFICIENT, count=22, needed=61.2)
    assert scope_entry(replace(SOURCE, verdicts=[few]))["unseen"] == [22, 62]
    assert scope_entry(replace(SOURCE, verdicts=[replace(few, count=70)]))["unseen"] is None
