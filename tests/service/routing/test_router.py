"""Routing follows the newest modes of the judge, or an operator's order that the judge did not answer."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.records import MODEL_SCOPE, Bools, Order, Role, Routes, Tensors
from tightrope.service.routing.router import MAX_CONFIRMED_ORDERS, Router

SCOPES = ("region=north", "region=south", "band=low")


def new_router() -> Router:
    """A router of two models without routes."""
    return Router({"m": SCOPES, "other": ()})


def routes(epoch: int, *safe: str, order: str = "") -> Routes:
    """The judge's routes of model m."""
    return Routes("m", epoch, safe, dict.fromkeys((MODEL_SCOPE, *SCOPES), "normal"), order)


def order(what: str, scope: str = "region=north", number: str = "o1") -> Order:
    """An operator's order for model m."""
    return Order(number, 1.0, "m", scope, what, "me", "a reason")


class Batch(NamedTuple):
    """The rows of several requests."""

    member: Bools
    ends: Sequence[int]
    inputs: Tensors = {}  # noqa: RUF012 - a batch without found groups is not asked for them


def role_for(router: Router, *rows: set[str]) -> Role:
    """The role for a request with rows in these subgroups."""
    return router.route("m", Batch(np.array([[scope in row for scope in SCOPES] for row in rows]), [len(rows)]))[0][0]


def test_compressed_model_answers_without_routes() -> None:
    """Epoch -1 means that no routes have been applied."""
    fresh = new_router()
    assert role_for(fresh, set(SCOPES)) is Role.COMPRESSED
    assert fresh.routes("m") == Routes("m", -1, (), {})


@pytest.mark.parametrize(
    ("rows", "role"),
    [
        ([{"region=north"}], Role.BASELINE),
        ([{"region=south"}], Role.COMPRESSED),
        ([set()], Role.COMPRESSED),
        ([{"region=north", "band=low"}], Role.BASELINE),
        ([{"region=south"}, set(), {"region=north"}], Role.BASELINE),
        ([{"region=south"}, {"band=low"}], Role.COMPRESSED),
    ],
)
def test_one_row_in_a_safe_scope_routes_the_request(rows: list[set[str]], role: Role) -> None:
    """The whole request goes to the baseline; other requests do not."""
    router = new_router()
    router.apply(routes(1, "region=north"))
    assert role_for(router, *rows) is role


def test_requests_of_a_batch_are_routed_separately() -> None:
    """Each by its own rows."""
    router = new_router()
    router.apply(routes(1, "region=north"))
    rows = [{"region=south"}, {"region=north"}, set(), set(), {"band=low"}, {"region=north"}]
    member = np.array([[scope in row for scope in SCOPES] for row in rows])
    roles = router.route("m", Batch(member, [1, 3, 5, 6]))[0]
    assert roles == [Role.COMPRESSED, Role.BASELINE, Role.COMPRESSED, Role.BASELINE]


def test_model_scope_covers_every_request() -> None:
    """Requests in no subgroup, too, but only of this model."""
    router = new_router()
    router.apply(routes(1, MODEL_SCOPE))
    assert role_for(router, set()) is Role.BASELINE
    assert router.route("other", Batch(np.zeros((1, 0), dtype=bool), [1]))[0] == [Role.COMPRESSED]


@given(epochs=st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_newest_epoch_wins_in_any_order_of_arrival(epochs: list[int]) -> None:
    """An older or equal epoch is never applied."""
    router = new_router()
    for number, epoch in enumerate(epochs):
        router.apply(routes(epoch, SCOPES[number % 3]))
    assert router.routes("m").epoch == max(epochs)
    assert router.routes("m").safe == (SCOPES[epochs.index(max(epochs)) % 3],)


def test_routes_of_an_unknown_model_are_ignored() -> None:
    """The control topic may have routes of models on other gateways."""
    router = new_router()
    assert not router.apply(Routes("strange", 5, (MODEL_SCOPE,), {}))
    assert router.apply(routes(0))
    assert role_for(router, set()) is Role.COMPRESSED


def test_unknown_scope_is_ignored() -> None:
    """A replica may have an older configuration."""
    router = new_router()
    router.apply(routes(1, "region=west"))
    assert role_for(router, set(SCOPES)) is Role.COMPRESSED


def test_forced_scope_holds_until_the_next_routes() -> None:
    """An order that the judge did not answer is carried out here; other safe scopes stay safe."""
    router = new_router()
    router.apply(routes(3, "band=low"))
    router.force(order("force-safe"))
    assert role_for(router, {"region=north"}) is Role.BASELINE
    assert role_for(router, {"band=low"}) is Role.BASELINE
    assert role_for(router, {"region=south"}) is Role.COMPRESSED
    router.force(order("force-safe"))
    assert router.routes("m").safe == ("band=low", "region=north")
    router.apply(routes(4, "region=south"))
    assert router.routes("m").safe == ("region=south",)


def test_forced_normal_ends_safe_mode_of_one_scope() -> None:
    """Other scopes stay; a release alone changes no mode."""
    router = new_router()
    router.apply(routes(1, "region=north", "band=low"))
    router.force(order("release"))
    assert router.routes("m").safe == ("region=north", "band=low")
    router.force(order("force-normal"))
    assert router.routes("m").safe == ("band=low",)


def test_confirmation_wakes_its_waiter() -> None:
    """At once, not after the timeout."""
    router = new_router()
    timer = threading.Timer(0.05, router.apply, [routes(1, order="o1")])
    timer.start()
    began = time.monotonic()
    assert router.wait_confirmed(order("force-safe"), 30.0)
    assert time.monotonic() - began < 10.0
    timer.join()


def test_wait_for_a_confirmation_times_out() -> None:
    """The confirmation of another order does not count."""
    router = new_router()
    router.apply(routes(1, order="o2"))
    began = time.monotonic()
    assert not router.wait_confirmed(order("force-safe"), 0.05)
    assert 0.05 <= time.monotonic() - began < 5.0


def test_confirmation_counts_even_when_the_epoch_is_not_new() -> None:
    """An order that changes no mode is confirmed, too."""
    router = new_router()
    router.apply(routes(1, "region=north"))
    router.apply(routes(1, "region=north", order="o1"))
    assert router.wait_confirmed(order("force-safe"), 0.0)


def test_concurrent_orders_are_all_confirmed() -> None:
    """A second confirmation does not replace the first before its operator has read it."""
    router = new_router()
    for number in ("o1", "o2"):
        router.apply(routes(1, order=number))
    assert router.wait_confirmed(order("force-safe", number="o1"), 0.0)
    assert router.wait_confirmed(order("release", number="o2"), 0.0)


def test_confirmations_are_bounded() -> None:
    """Only the latest are kept."""
    router = new_router()
    for number in range(MAX_CONFIRMED_ORDERS + 1):
        router.apply(routes(1, order=str(number)))
    assert not router.wait_confirmed(order("release", number="0"), 0.0)
    assert router.wait_confirmed(order("release", number="1"), 0.0)


def test_cautious_router_sends_requests_to_the_baseline_until_it_has_routes() -> None:
    """Unknown is not normal: a model without published modes stays with the baseline, and the reason says so."""
    careful = Router({"m": SCOPES, "other": ()}, cautious=True)
    assert role_for(careful, set()) is Role.BASELINE
    assert careful.apply(routes(0, "region=north"))
    assert role_for(careful, set()) is Role.COMPRESSED
    assert role_for(careful, {"region=north"}) is Role.BASELINE
    assert careful.route("other", Batch(np.zeros((1, 0), dtype=bool), [1]))[0] == [Role.BASELINE]
    assert careful.explain("other").startswith("unknown: no judge has published the modes yet")
    assert careful.explain("m") == ""
    careful.force(Order("o1", 1.0, "other", MODEL_SCOPE, "force-normal", "me", "a person's word"))
    assert careful.route("other", Batch(np.zeros((1, 0), dtype=bool), [1]))[0] == [Role.COMPRESSED]
    assert careful.explain("other") == ""


def test_blindness_lies_above_all_modes() -> None:
    """Neither routes nor an order of this replica end it; without it the modes hold that were published meanwhile."""
    router = new_router()
    router.apply(routes(1))
    router.set_blind("m", "no row judged for 60 s")
    assert role_for(router, set()) is Role.BASELINE
    router.apply(routes(2, "region=north"))
    router.force(order("force-normal", MODEL_SCOPE))
    assert role_for(router, {"region=south"}) is Role.BASELINE
    assert router.explain("m") == "blind: no row judged for 60 s, the baseline answers"
    assert router.routes("m").safe == ("region=north",)
    assert role_for(router, set()) is Role.BASELINE
    router.set_blind("m", "no row judged for 61 s")
    assert router.blindness("m") == "no row judged for 61 s"
    router.set_blind("m", "")
    assert role_for(router, {"region=south"}) is Role.COMPRESSED
    assert role_for(router, {"region=north"}) is Role.BASELINE
    assert (router.blindness("m"), router.explain("m")) == ("", "")


def test_blind_model_falls_back_as_a_whole() -> None:
    """The limit of the fallback applies, but not to requests of a subgroup that is known to be harmed."""
    router = new_router()
    router.apply(routes(1, "region=north"))
    router.set_blind("m", "no row judged for 60 s")
    member = np.array([[scope == name for scope in SCOPES] for name in ("band=low", "region=north", "band=low")])
    assert router.fall_back_with_model("m", Batch(member, [1, 3])) == [True, False]


HOME = ("home=gq", "home=house", "home=other", "age=old", "age=other")


def home_role(router: Router, scope: str) -> Role:
    """The role for a request of one row in this subgroup."""
    return router.route("m", Batch(np.array([[name == scope for name in HOME]]), [1]))[0][0]


def home_routes(epoch: int, *safe: str) -> Routes:
    """Routes of a model with the attributes home and age."""
    return Routes("m", epoch, safe, dict.fromkeys((MODEL_SCOPE, *HOME), "normal"))


def test_rows_without_a_declared_value_follow_a_safe_one() -> None:
    """As soon as the router has the routes, and until the value returns; other attributes do not."""
    router = Router({"m": HOME})
    router.apply(home_routes(1, "home=gq"))
    roles = {scope: home_role(router, scope) for scope in HOME}
    assert {scope for scope, role in roles.items() if role is Role.BASELINE} == {"home=gq", "home=other"}
    assert router.routes("m").safe == ("home=gq",)
    assert router.following("m") == ("home=other",)
    router.apply(home_routes(2))
    assert {home_role(router, scope) for scope in HOME} == {Role.COMPRESSED}
    assert router.following("m") == ()


def test_undeclared_values_alone_move_no_declared_one() -> None:
    """A scope that is safe itself follows none, and its attribute does not follow it."""
    router = Router({"m": HOME})
    router.apply(home_routes(1, "home=other"))
    assert [home_role(router, scope) for scope in HOME[:3]] == [Role.COMPRESSED, Role.COMPRESSED, Role.BASELINE]
    assert router.following("m") == ()


def test_order_that_no_judge_answers_moves_the_followers_too() -> None:
    """Both into safe mode and out of it."""
    router = Router({"m": HOME})
    router.apply(home_routes(1))
    router.force(order("force-safe", "home=gq"))
    assert home_role(router, "home=other") is Role.BASELINE
    router.force(order("force-normal", "home=gq"))
    assert home_role(router, "home=other") is Role.COMPRESSED


def test_scope_may_have_the_baseline_always() -> None:
    """By the configuration, in every mode; it is not shown as safe, for no judge moved it."""
    router = Router({"m": HOME}, always_baseline={"m": ("age=other",)})
    assert home_role(router, "age=other") is Role.BASELINE
    router.apply(home_routes(1, "home=gq"))
    assert [home_role(router, scope) for scope in ("age=other", "age=old")] == [Role.BASELINE, Role.COMPRESSED]
    assert "age=other" not in router.routes("m").safe


def test_scopes_are_kept_safe_until_newer_routes() -> None:
    """A deployment of a pair that is known to harm them moves them before the judge does."""
    router = Router({"m": HOME})
    router.apply(home_routes(1))
    router.keep_safe("m", ["home=gq", "home=gq"])
    assert home_role(router, "home=gq") is Role.BASELINE
    router.apply(home_routes(1))
    assert home_role(router, "home=gq") is Role.BASELINE, "routes of the same epoch are not newer"
    router.keep_safe("m", [])
    router.apply(home_routes(2))
    assert home_role(router, "home=gq") is Role.COMPRESSED
