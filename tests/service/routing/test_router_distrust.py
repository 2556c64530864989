"""A process that does not trust its topics gives every request to the baseline."""

from tests.service.routing.test_router import new_router, role_for, routes
from tightrope.monitors.records import Role


def test_distrust_lies_above_the_modes_of_every_model() -> None:
    """While a process does not trust what it reads, the baseline answers, with the reason; no route ends it."""
    router = new_router()
    router.apply(routes(1))
    router.set_distrust("tightrope.control has 7 partitions")
    router.apply(routes(2))
    assert role_for(router, {"region=north"}) is Role.BASELINE
    assert router.explain("m") == "tightrope.control has 7 partitions: the baseline answers"
    assert router.explain("other") == router.explain("m")
    router.set_distrust("")
    assert role_for(router, {"region=north"}) is Role.COMPRESSED
    assert (router.distrust, router.explain("m")) == ("", "")
