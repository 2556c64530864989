"""Found groups that are watched as scopes: a gateway routes them by their definition in the modes."""

from dataclasses import replace

import numpy as np

from tests.service.routing.test_router import Batch, new_router, order, role_for, routes
from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.records import Role


def test_found_group_is_routed_by_its_definition() -> None:
    """Requests with a row in it go to the baseline while it is safe, in any datatype that callers may send."""
    router = new_router()
    ranges = ColumnRange("x", 1, 17.0, 17.0), ColumnRange("x", 0, -np.inf, 2.0)
    added = AddedScope("home+age=17+low", "", ranges, ("band=low",))
    published = replace(routes(1), added=(added,))
    member = np.zeros((4, 3), dtype=bool)
    member[:3, 2] = True
    batch = Batch(member, [1, 3, 4], {"x": np.array([[1, 17], [1, 16], [3, 17], [1, 17]], np.float16)})
    router.apply(published)
    assert router.route("m", batch)[0] == [Role.COMPRESSED] * 3
    router.apply(replace(published, epoch=2, safe=(added.scope,)))
    assert router.route("m", batch)[0] == [Role.BASELINE, Role.COMPRESSED, Role.COMPRESSED]
    router.set_blind("m", "no row judged for 60 s")
    assert router.fall_back_with_model("m", batch) == [False, True, True]
    router.set_blind("m", "")
    router.force(order("force-normal", added.scope))
    assert router.route("m", batch)[0] == [Role.COMPRESSED] * 3
    router.force(order("force-safe", added.scope))
    assert router.route("m", batch)[0] == [Role.BASELINE, Role.COMPRESSED, Role.COMPRESSED]


def test_found_group_of_an_unknown_subgroup_makes_the_model_safe() -> None:
    """Its rows cannot be told from others."""
    router = new_router()
    added = AddedScope("age=old", "", (), ("age=old",))
    router.apply(replace(routes(1, "age=old"), added=(added,)))
    assert role_for(router, set()) is Role.BASELINE
