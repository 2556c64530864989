"""Who answers follows from the newest modes that the judge told, or from an operator's order that it did not hear."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightrope.monitors.records import MODEL_SCOPE, Bools, Order, Role, Routes
from tightrope.service.routing.router import MOST_CONFIRMED, Router

SCOPES = ("region=north", "region=south", "band=low")


def router() -> Router:
    """A router of two models that has heard nothing."""
    return Router({"m": SCOPES, "other": ()})


def routes(epoch: int, *safe: str, order: str = "") -> Routes:
    """What the judge tells of model m."""
    return Routes("m", epoch, safe, dict.fromkeys((MODEL_SCOPE, *SCOPES), "normal"), order)


def order(what: str, scope: str = "region=north", number: str = "o1") -> Order:
    """An operator's order for model m."""
    return Order(number, 1.0, "m", scope, what, "me", "a reason")


class Rows(NamedTuple):
    """Requests one below the other."""

    member: Bools
    ends: Sequence[int]


def answers(of: Router, *rows: set[str]) -> Role:
    """Who answers a request with rows in these subgroups."""
    return of.roles("m", Rows(np.array([[scope in row for scope in SCOPES] for row in rows]), [len(rows)]))[0]


def test_compressed_model_answers_until_told_otherwise() -> None:
    """The router knows nothing yet, and says so by its epoch."""
    fresh = router()
    assert answers(fresh, set(SCOPES)) is Role.COMPRESSED
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
def test_one_row_in_a_safe_scope_is_enough(rows: list[set[str]], role: Role) -> None:
    """The whole request goes to the baseline; other requests stay where they are."""
    of = router()
    of.apply(routes(1, "region=north"))
    assert answers(of, *rows) is role


def test_requests_of_a_batch_are_routed_apart() -> None:
    """Each by its own rows only."""
    of = router()
    of.apply(routes(1, "region=north"))
    rows = [{"region=south"}, {"region=north"}, set(), set(), {"band=low"}, {"region=north"}]
    member = np.array([[scope in row for scope in SCOPES] for row in rows])
    roles = of.roles("m", Rows(member, [1, 3, 5, 6]))
    assert roles == [Role.COMPRESSED, Role.BASELINE, Role.COMPRESSED, Role.BASELINE]


def test_model_scope_covers_every_request() -> None:
    """Also those in no subgroup, and only of this model."""
    of = router()
    of.apply(routes(1, MODEL_SCOPE))
    assert answers(of, set()) is Role.BASELINE
    assert of.roles("other", Rows(np.zeros((1, 0), dtype=bool), [1])) == [Role.COMPRESSED]


@given(epochs=st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_newest_epoch_stands_in_whatever_order_they_arrive(epochs: list[int]) -> None:
    """An older or equal epoch is never applied."""
    of = router()
    for number, epoch in enumerate(epochs):
        of.apply(routes(epoch, SCOPES[number % 3]))
    assert of.routes("m").epoch == max(epochs)
    assert of.routes("m").safe == (SCOPES[epochs.index(max(epochs)) % 3],)


def test_routes_of_a_model_that_is_not_served_here_are_passed_over() -> None:
    """Another gateway's models may share the control topic."""
    of = router()
    assert not of.apply(Routes("strange", 5, (MODEL_SCOPE,), {}))
    assert of.apply(routes(0))
    assert answers(of, set()) is Role.COMPRESSED


def test_scope_that_is_not_known_here_moves_nobody() -> None:
    """A replica with an older configuration goes on by what it has."""
    of = router()
    of.apply(routes(1, "region=west"))
    assert answers(of, set(SCOPES)) is Role.COMPRESSED


def test_forced_scope_holds_until_the_judge_speaks() -> None:
    """An order that the judge did not hear is carried out here, beside what was safe already."""
    of = router()
    of.apply(routes(3, "band=low"))
    of.force(order("force-safe"))
    assert answers(of, {"region=north"}) is Role.BASELINE
    assert answers(of, {"band=low"}) is Role.BASELINE
    assert answers(of, {"region=south"}) is Role.COMPRESSED
    of.force(order("force-safe"))
    assert of.routes("m").safe == ("band=low", "region=north")
    of.apply(routes(4, "region=south"))
    assert of.routes("m").safe == ("region=south",)


def test_forced_normal_gives_one_scope_back() -> None:
    """And leaves the others where they are; a release alone moves nobody."""
    of = router()
    of.apply(routes(1, "region=north", "band=low"))
    of.force(order("release"))
    assert of.routes("m").safe == ("region=north", "band=low")
    of.force(order("force-normal"))
    assert of.routes("m").safe == ("band=low",)


def test_confirmation_wakes_who_waits_for_it() -> None:
    """At once, not at the end of the patience."""
    of = router()
    telling = threading.Timer(0.05, of.apply, [routes(1, order="o1")])
    telling.start()
    began = time.monotonic()
    assert of.confirmed(order("force-safe"), 30.0)
    assert time.monotonic() - began < 10.0
    telling.join()


def test_order_that_nobody_confirms_is_not_waited_for_longer_than_asked() -> None:
    """The order of somebody else does not count."""
    of = router()
    of.apply(routes(1, order="o2"))
    began = time.monotonic()
    assert not of.confirmed(order("force-safe"), 0.05)
    assert 0.05 <= time.monotonic() - began < 5.0


def test_confirmation_counts_even_when_the_epoch_is_not_new() -> None:
    """An order that changes nothing is carried out all the same."""
    of = router()
    of.apply(routes(1, "region=north"))
    of.apply(routes(1, "region=north", order="o1"))
    assert of.confirmed(order("force-safe"), 0.0)


def test_orders_given_at_the_same_time_are_all_confirmed() -> None:
    """The first is not forgotten when the second is carried out before its operator has looked."""
    of = router()
    for number in ("o1", "o2"):
        of.apply(routes(1, order=number))
    assert of.confirmed(order("force-safe", number="o1"), 0.0)
    assert of.confirmed(order("release", number="o2"), 0.0)


def test_confirmations_do_not_pile_up() -> None:
    """Only the latest are remembered."""
    of = router()
    for number in range(MOST_CONFIRMED + 1):
        of.apply(routes(1, order=str(number)))
    assert not of.confirmed(order("release", number="0"), 0.0)
    assert of.confirmed(order("release", number="1"), 0.0)


def test_cautious_router_has_the_baseline_answer_until_it_is_told() -> None:
    """Where the judge is elsewhere: whoever does not know the modes takes the safe side."""
    careful = Router({"m": SCOPES, "other": ()}, cautious=True)
    assert answers(careful, set()) is Role.BASELINE
    assert careful.apply(routes(0, "region=north"))
    assert answers(careful, set()) is Role.COMPRESSED
    assert answers(careful, {"region=north"}) is Role.BASELINE
    assert careful.roles("other", Rows(np.zeros((1, 0), dtype=bool), [1])) == [Role.BASELINE]
    careful.trust()
    assert careful.roles("other", Rows(np.zeros((1, 0), dtype=bool), [1])) == [Role.COMPRESSED]
    assert answers(careful, {"region=north"}) is Role.BASELINE, "what was told stays"
