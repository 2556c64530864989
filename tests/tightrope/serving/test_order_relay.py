"""What an operator tells one process of a port while no judge can be asked holds in all of them."""

import logging
import time
from pathlib import Path

import pytest

from tests.support.cluster.cluster import until
from tightrope.monitors.records import Order
from tightrope.service.routing.router import Router
from tightrope.serving.order_relay import EVERY, Orders


def router() -> Router:
    """Of one model with one subgroup."""
    return Router({"m": ("a=b",)})


def order(what: str, scope: str = "model", at: float | None = None) -> Order:
    """One of an operator."""
    at = time.time() if at is None else at
    return Order(f"{what}-{at}", at, "m", scope, what, "me", "a test")


def test_order_to_one_is_carried_out_by_all(tmp_path: Path) -> None:
    """Each once, in the order in which they were given."""
    routers = [router() for _ in range(3)]
    parts = [Orders(tmp_path, each) for each in routers]
    routers[0].force(order("force-safe"))
    for part in parts:
        part.look()
    assert [each.routes("m").safe for each in routers] == [("model",)] * 3
    now = time.time()
    for number in range(5):
        routers[1].force(order("force-safe", at=now + number))
        routers[1].force(order("force-normal", at=now + number + 0.5))
    for part in parts:
        part.look()
        part.look()
    assert [each.routes("m").safe for each in routers] == [()] * 3
    assert len(list(tmp_path.iterdir())) == 11


def test_order_from_before_is_not_carried_out_again(tmp_path: Path) -> None:
    """A judge may have replaced it since: who starts later follows the judge."""
    first = router()
    Orders(tmp_path, first).tell(order("force-safe", at=time.time() - 60))
    later = router()
    part = Orders(tmp_path, later)
    part.look()
    assert later.routes("m").safe == ()


def test_orders_are_looked_for_until_told_to_stop(tmp_path: Path) -> None:
    """In a thread of its own."""
    one, two = router(), router()
    part = Orders(tmp_path, two)
    part.start()
    Orders(tmp_path, one)
    one.force(order("force-safe", "a=b"))
    until(lambda: two.routes("m").safe == ("a=b",))
    part.stop(10.0)
    one.force(order("force-safe"))
    time.sleep(2 * EVERY)
    assert two.routes("m").safe == ("a=b",)


def test_order_that_cannot_be_passed_on_holds_here_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator's word is carried out where it was heard."""
    one = router()
    Orders(tmp_path / "gone", one)
    with caplog.at_level(logging.WARNING):
        one.force(order("force-safe"))
    assert one.routes("m").safe == ("model",)
    assert "holds in one process of this port only" in caplog.text


def test_file_that_is_no_order_costs_no_other_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, and passed over."""
    one, two = router(), router()
    Orders(tmp_path, one)
    part = Orders(tmp_path, two)
    (tmp_path / "a.order").write_bytes(b"garbage")
    one.force(order("force-safe"))
    with caplog.at_level(logging.WARNING):
        part.look()
        part.look()
    assert two.routes("m").safe == ("model",)
    assert caplog.text.count("a.order: not an order") == 1
