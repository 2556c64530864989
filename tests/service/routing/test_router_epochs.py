"""Routes count by their epoch: an order is confirmed only by those in force, and another log has epochs of its own."""

from tests.service.routing.test_router import new_router, order, role_for, routes
from tightrope.monitors.records import Role


def test_order_whose_routes_were_not_taken_over_is_not_confirmed() -> None:
    """Routes of an older epoch, or of the same one with other modes, move nothing here."""
    router = new_router()
    router.apply(routes(5))
    router.apply(routes(4, "region=north", order="o1"))
    router.apply(routes(5, "region=north", order="o1"))
    assert not router.wait_confirmed(order("force-safe"), 0.0)
    assert role_for(router, {"region=north"}) is Role.COMPRESSED
    router.apply(routes(6, "region=north", order="o1"))
    assert router.wait_confirmed(order("force-safe"), 0.0)
    assert role_for(router, {"region=north"}) is Role.BASELINE


def test_forgotten_modes_take_any_epoch() -> None:
    """The epochs of another log are not compared; the baseline answers until the first word of the new one."""
    router = new_router()
    router.apply(routes(1_000, "region=north"))
    router.forget_modes()
    assert role_for(router, {"region=south"}) is Role.BASELINE
    assert "no judge has published the modes" in router.explain("m")
    router.apply(routes(0))
    assert role_for(router, {"region=north"}) is Role.COMPRESSED
