"""Copies of orders are refused by their id, and older ones by their age."""

import pytest

from tightrope.monitors.records import Order
from tightrope.service.adapters.ports import Record
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.shadow.intake.order_replays import MAX_ORDER_AGE_SECONDS, require_new

NOW = 1e9


def order(time: float = NOW) -> Order:
    """An order that was given then."""
    return Order("o1", time, "m", "model", "force-normal", "ann", "why")


def record(time: float = NOW) -> Record:
    """A record that the log appended then."""
    return Record("tightrope.control", 0, 7, "m/model", b"", time)


def test_order_is_carried_out_once() -> None:
    """Another one is new."""
    require_new(order(), record(), ("o0", "o2"))
    with pytest.raises(WireError, match="order o1: was carried out already; this record is a copy"):
        require_new(order(), record(), ("o0", "o1"))


def test_order_must_not_be_much_older_than_its_record() -> None:
    """Clocks may be wrong by hours in both directions; without the log's time nothing is known."""
    for age in (-MAX_ORDER_AGE_SECONDS, 0.0, MAX_ORDER_AGE_SECONDS):
        require_new(order(NOW - age), record(), ())
    with pytest.raises(WireError, match="order o1: is 25 hours older than its record; give it again"):
        require_new(order(NOW - 25 * 3600), record(), ())
    require_new(order(0.0), record(0.0), ())
