"""Records of scopes and pairs, the stricter of two modes, and the definitions of scopes."""

import pytest

from tightrope.monitors.history.retained import (
    MAX_ORDERS,
    MAX_PAIRS,
    SEVERAL,
    PairRecord,
    Retained,
    ScopeRecord,
    changed_settings,
    is_redefined,
    scope_definition,
)
from tightrope.monitors.safemode import Mode, ModeState

NORMAL, SAFE, LATCHED = ModeState.NORMAL, ModeState.SAFE, ModeState.LATCHED


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Mode(), Mode(SAFE), Mode(SAFE)),
        (Mode(SAFE, held=True), Mode(LATCHED), Mode(LATCHED)),
        (Mode(SAFE, held=True), Mode(SAFE), Mode(SAFE, held=True)),
        (Mode(held=True), Mode(), Mode()),
        (Mode(held=True), Mode(SAFE), Mode(SAFE)),
        (Mode(SAFE, flaps=1), Mode(flaps=2), Mode(SAFE, flaps=2)),
        (Mode(SAFE, trial=True), Mode(SAFE), Mode(SAFE)),
        (Mode(SAFE, trial=True), Mode(SAFE, trial=True), Mode(SAFE, trial=True)),
        (Mode(SAFE, trial=True), Mode(), Mode(SAFE, trial=True)),
        (Mode(SAFE, dwelling=True), Mode(SAFE), Mode(SAFE, dwelling=True)),
        (Mode(LATCHED), Mode(SAFE, dwelling=True), Mode(LATCHED)),
        (Mode(SAFE), Mode(unread=True), Mode(SAFE, unread=True)),
    ],
)
def test_scope_that_takes_over_another_has_the_stricter_mode(one: Mode, other: Mode, expected: Mode) -> None:
    """In both orders: the state that takes more to end, and all that makes a return harder."""
    assert ScopeRecord(one).join(ScopeRecord(other)).mode == expected
    assert ScopeRecord(other).join(ScopeRecord(one)).mode == expected


def test_joined_record_has_the_monitors_of_both() -> None:
    """All of them have to be disproved; the definition is known only if it is one."""
    here = {"source": {}, "codes": [1]}
    one, other = ScopeRecord(monitors=("a", "b"), definition=here), ScopeRecord(monitors=("b", "c"))
    assert one.join(other).monitors == ("a", "b", "c")
    assert (one.join(other).definition, other.join(one).definition, other.join(other).definition) == (here, here, None)
    assert one.join(ScopeRecord(definition={"source": {}, "codes": [2]})).definition == SEVERAL


def test_only_a_mode_with_a_history_is_relevant() -> None:
    """A scope is harmed if monitors breached, and it is safe or held against them."""
    relevant = [Mode(SAFE), Mode(held=True), Mode(flaps=1), Mode(held=True, breached=True)]
    assert all(ScopeRecord(mode).relevant for mode in relevant)
    assert not ScopeRecord(Mode(since=5.0)).relevant
    assert [ScopeRecord(mode, ("a",)).harmed for mode in relevant] == [True, False, False, True]
    assert not ScopeRecord(Mode(SAFE)).harmed


def test_orphans_in_safe_mode_are_unmapped() -> None:
    """A hold in normal mode waits for its scope to return, and stops nothing."""
    orphans = {
        "a": ScopeRecord(Mode(LATCHED)),
        "b": ScopeRecord(Mode(SAFE, held=True)),
        "c": ScopeRecord(Mode(held=True)),
    }
    assert set(Retained(orphans=orphans).unmapped) == {"a", "b"}


def test_newest_pairs_are_remembered() -> None:
    """A pair that comes again is the newest; the oldest is forgotten."""
    retained = Retained()
    for number in (*range(MAX_PAIRS), 0, MAX_PAIRS):
        retained = retained.remember(PairRecord("b", f"c{number}", {"model": ScopeRecord()}))
    assert len(retained.pairs) == MAX_PAIRS
    assert [pair.compressed_digest for pair in retained.pairs[-2:]] == ["c0", f"c{MAX_PAIRS}"]
    assert retained.recall(("b", "c1")) is None
    assert retained.recall(("b", "c2")) is retained.pairs[0]


def test_changed_settings_have_both_values() -> None:
    """A setting that came or went has None on the other side."""
    assert changed_settings({"a": 1, "b": [1]}, {"b": [2], "c": 3}) == {
        "a": {"before": 1, "after": None},
        "b": {"before": [1], "after": [2]},
        "c": {"before": None, "after": 3},
    }
    assert changed_settings({"a": 1}, {"a": 1}) == {}


@pytest.mark.parametrize(
    ("scope", "before", "after", "redefined"),
    [
        ("g=a", {"g.values.a": [1]}, {"g.values.a": [1, 2]}, False),
        ("g=a", {"g.values.a": [1, 2]}, {"g.values.a": [1]}, True),
        ("g=a", {"g.values.a": [1]}, {"g.values.a": [1], "g.values.b": [2]}, False),
        ("g=a", {"g.values.a": {"low": "1"}}, {"g.values.a": {"low": "2"}}, True),
        ("g=a", {"g.values.a": [1], "g.column": 1}, {"g.values.a": [1], "g.column": 2}, True),
        ("g=a", {"g.values.a": [1], "g.otherwise": "watch"}, {"g.values.a": [1], "g.otherwise": "refuse"}, False),
        ("g=a", {"g.values": ["a"], "g.parameter": "x"}, {"g.values": ["a", "b"], "g.parameter": "x"}, False),
        ("g=a", {"g.values": ["a"], "g.parameter": "x"}, {"g.values": ["a"], "g.parameter": "y"}, True),
        ("g=other", {"g.values.a": [1]}, {"g.values.a": [1], "g.values.b": [2]}, True),
        ("g=other", {"g.values": ["a"]}, {"g.values": ["a", "b"]}, True),
        ("g=a", {}, {"g.values.a": [1]}, False),
        ("model", {"g.values.a": [1]}, {"g.values.a": [2]}, False),
    ],
)
def test_scope_is_redefined_when_a_row_of_it_may_be_in_another(
    scope: str, before: dict[str, object], after: dict[str, object], *, redefined: bool
) -> None:
    """More codes under the same name lose no row; fewer codes, and another source, do."""
    old, new = (scope_definition(scope, {f"subgroups.{k}": v for k, v in each.items()}) for each in (before, after))
    assert is_redefined(old, new) is redefined


def test_latest_orders_are_remembered() -> None:
    """A bounded number, the newest last."""
    retained = Retained()
    for number in range(MAX_ORDERS + 2):
        retained = retained.note_order(f"o{number}")
    assert len(retained.orders) == MAX_ORDERS
    assert (retained.orders[0], retained.orders[-1]) == ("o2", f"o{MAX_ORDERS + 1}")
