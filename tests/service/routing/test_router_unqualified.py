"""The gate stands above modes and orders."""

import numpy as np

from tests.service.routing.test_router import Batch
from tightrope.monitors.records import MODEL_SCOPE, Order, Role, Routes
from tightrope.service.routing.router import Router

ONE_ROW = Batch(np.zeros((1, 0), dtype=bool), [1])


def role_of(router: Router) -> Role:
    """The role that answers the row."""
    return router.route("m", ONE_ROW)[0][0]


def test_model_that_is_not_qualified_goes_to_the_baseline_above_modes_and_orders() -> None:
    """No order brings it back, and no limit of the fallback; the modes are as before once it is qualified."""
    router = Router({"m": ()})
    router.apply(Routes("m", 1, (), {}))
    router.set_unqualified("m", "expired on 2026-01-01")
    router.force(Order("o1", 1.0, "m", MODEL_SCOPE, "force-normal", "me", "a reason"))
    assert router.explain("m") == "not qualified: expired on 2026-01-01, the baseline answers"
    assert role_of(router) is Role.BASELINE
    assert router.fall_back_with_model("m", ONE_ROW) == [False]
    router.set_unqualified("m", "")
    assert role_of(router) is Role.COMPRESSED
    assert router.explain("m") == ""
