"""The router tells which scopes the baseline answers on an operator's word alone."""

from tightrope.monitors.records import Routes
from tightrope.service.routing.router import Router


def test_scope_that_follows_only_ordered_ones_is_shown_as_ordered() -> None:
    """An operator's order for one value pages for no other; evidence about a second value does."""
    router = Router({"m": ("region=north", "region=south", "region=other", "band=other")})
    router.apply(Routes("m", 1, ("region=north",), {}, ordered=("region=north",)))
    shown = router.shown_routes("m")
    assert shown.safe == shown.ordered == ("region=north", "region=other")
    router.apply(Routes("m", 2, ("region=north", "region=south"), {}, ordered=("region=north",)))
    shown = router.shown_routes("m")
    assert (shown.safe[2:], shown.ordered) == (("region=other",), ("region=north",))
