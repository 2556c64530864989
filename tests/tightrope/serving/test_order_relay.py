"""Without a judge, an order to one process of a port holds in all of them."""

import logging
import time
from pathlib import Path

import pytest

from tests.support.cluster.cluster import wait_until
from tightrope.monitors.records import Order
from tightrope.service.routing.router import Router
from tightrope.serving import order_relay
from tightrope.serving.order_relay import OrderRelay


def router() -> Router:
    """Return a router of one model with one subgroup."""
    return Router({"m": ("a=b",)})


def order(verb: str, scope: str = "model", time_: float | None = None) -> Order:
    """Return an operator's order."""
    time_ = time.time() if time_ is None else time_
    return Order(f"{verb}-{time_}", time_, "m", scope, verb, "me", "a test")


def test_order_is_applied_by_all(tmp_path: Path) -> None:
    """Each relay applies each order once, in the order in which they were given."""
    routers = [router() for _ in range(3)]
    relays = [OrderRelay(tmp_path, each) for each in routers]
    routers[0].force(order("force-safe"))
    for relay in relays:
        relay.poll()
    assert [each.routes("m").safe for each in routers] == [("model",)] * 3
    now = time.time()
    for number in range(5):
        routers[1].force(order("force-safe", time_=now + number))
        routers[1].force(order("force-normal", time_=now + number + 0.5))
    for relay in relays:
        relay.poll()
        relay.poll()
    assert [each.routes("m").safe for each in routers] == [()] * 3
    assert len(list(tmp_path.iterdir())) == 11


def test_older_order_is_not_applied(tmp_path: Path) -> None:
    """A judge may have replaced it since, and a process that starts later follows the judge."""
    OrderRelay(tmp_path, router()).publish(order("force-safe", time_=time.time() - 60))
    later = router()
    OrderRelay(tmp_path, later).poll()
    assert later.routes("m").safe == ()


def test_thread_polls_until_it_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `stop` no order is applied."""
    monkeypatch.setattr(order_relay, "ORDER_POLL_SECONDS", 0.01)
    one, two = router(), router()
    relay = OrderRelay(tmp_path, two)
    relay.start()
    OrderRelay(tmp_path, one)
    one.force(order("force-safe", "a=b"))
    wait_until(lambda: two.routes("m").safe == ("a=b",))
    relay.stop(10.0)
    assert not relay._thread.is_alive()
    one.force(order("force-safe"))
    assert two.routes("m").safe == ("a=b",)


def test_failed_relay_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The order holds in the process that received it."""
    one = router()
    OrderRelay(tmp_path / "gone", one)
    with caplog.at_level(logging.WARNING):
        one.force(order("force-safe"))
    assert one.routes("m").safe == ("model",)
    assert "holds in one process of this port only" in caplog.text


def test_unreadable_file_does_not_block_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged once and skipped."""
    one, two = router(), router()
    OrderRelay(tmp_path, one)
    relay = OrderRelay(tmp_path, two)
    (tmp_path / "a.order").write_bytes(b"garbage")
    one.force(order("force-safe"))
    with caplog.at_level(logging.WARNING):
        relay.poll()
        relay.poll()
    assert two.routes("m").safe == ("model",)
    assert caplog.text.count("a.order: not an order") == 1
