"""A narrow model is answered by the compressed model, and its classes are asked again, where that can be."""

from dataclasses import replace

import numpy as np
import pytest

from tests.service.routing.test_router import SCOPES, Batch, order, role_for
from tightrope.monitors.records import MODEL_SCOPE, Role, Routes
from tightrope.service.routing.router import Router

NARROW = Routes("m", 1, (MODEL_SCOPE,), {MODEL_SCOPE: "safe"}, asked=(3, 5))


def narrow_router(**options: object) -> Router:
    """A router of a model that is narrowed."""
    router = Router({"m": SCOPES}, **({"askable": ("m",)} | options))  # type: ignore[arg-type]
    router.apply(NARROW)
    return router


def test_compressed_model_answers_and_the_classes_are_asked_again() -> None:
    """The routes show the model as safe, with its classes."""
    router = narrow_router()
    assert (role_for(router, set(SCOPES)), router.asked_classes("m")) == (Role.COMPRESSED, {3, 5})
    assert router.baseline_scopes("m") == frozenset()
    assert (router.shown_routes("m").safe, router.shown_routes("m").asked) == ((MODEL_SCOPE,), (3, 5))


def test_gateway_that_cannot_ask_again_has_the_baseline_answer() -> None:
    """As one of an earlier release does, which knows the scope alone."""
    router = narrow_router(askable=())
    assert (role_for(router, set()), router.asked_classes("m")) == (Role.BASELINE, frozenset())


def test_subgroup_in_safe_mode_gets_the_baseline_besides() -> None:
    """Its own rows do."""
    router = narrow_router()
    router.apply(replace(NARROW, epoch=2, safe=(MODEL_SCOPE, "region=north")))
    assert role_for(router, {"region=north"}) is Role.BASELINE
    assert role_for(router, {"region=south"}) is Role.COMPRESSED
    assert router.asked_classes("m") == {3, 5}


@pytest.mark.parametrize(
    "why", ["blind", "judge missing", "unqualified", "distrust", "starved", "kept safe", "ordered"]
)
def test_what_else_makes_the_model_unsafe_gives_it_to_the_baseline(why: str) -> None:
    """All that lies above the modes, and all that this gateway does by itself."""
    router = narrow_router()
    {
        "blind": lambda: router.set_blind("m", "no row is judged"),
        "judge missing": lambda: router.set_judge_missing("m", "no judge"),
        "unqualified": lambda: router.set_unqualified("m", "no statement"),
        "distrust": lambda: router.set_distrust("the bus"),
        "starved": lambda: router.set_starved("m", [MODEL_SCOPE]),
        "kept safe": lambda: router.keep_safe("m", [MODEL_SCOPE]),
        "ordered": lambda: router.force(order("force-safe", MODEL_SCOPE)),
    }[why]()
    assert role_for(router, set()) is Role.BASELINE


def test_order_for_a_subgroup_leaves_the_classes() -> None:
    """An order for the model ends them, in either direction."""
    router = narrow_router()
    router.force(order("force-safe"))
    router.keep_safe("m", ["band=low"])
    assert (router.asked_classes("m"), role_for(router, {"band=low"})) == ({3, 5}, Role.BASELINE)
    router.force(order("force-normal", MODEL_SCOPE))
    assert (router.asked_classes("m"), role_for(router, set())) == (frozenset(), Role.COMPRESSED)


def test_newer_routes_end_it() -> None:
    """With the return, or with the whole model."""
    router = narrow_router()
    router.apply(Routes("m", 2, (MODEL_SCOPE,), {}))
    assert (role_for(router, set()), router.asked_classes("m")) == (Role.BASELINE, frozenset())
    router.apply(replace(NARROW, epoch=3))
    router.apply(Routes("m", 4, (), {}))
    assert (role_for(router, set()), router.asked_classes("m")) == (Role.COMPRESSED, frozenset())


def test_classes_and_roles_are_of_the_same_modes() -> None:
    """No answer slips through a change of modes between two look-ups."""
    router, batch = narrow_router(), Batch(np.zeros((2, 3), dtype=bool), [1, 2])
    assert router.route("m", batch) == ([Role.COMPRESSED] * 2, {3, 5})
    router.apply(replace(NARROW, epoch=2, safe=(MODEL_SCOPE, "region=north")))
    assert router.route("m", Batch(np.eye(3, dtype=bool)[:2], [1, 2])) == ([Role.BASELINE, Role.COMPRESSED], {3, 5})
    router.apply(Routes("m", 3, (MODEL_SCOPE,), {}))
    assert router.route("m", batch) == ([Role.BASELINE] * 2, frozenset())
