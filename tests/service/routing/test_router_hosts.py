"""Scopes of classes of hosts: a harmful class sends the gateways of that class to the baseline, and no others."""

import numpy as np
import pytest

from tests.service.routing.test_router import Batch
from tightrope.monitors.added_scopes.host_scopes import host_scope
from tightrope.monitors.records import Role, Routes
from tightrope.service.routing.router import Router

OLD, NEW = "x86_64/avx2", "aarch64/i8mm"
SCOPES = (host_scope(OLD), host_scope(NEW), host_scope("other"))
ONE = Batch(np.zeros((1, 0), dtype=bool), [1])


def answers(host: str, *safe: str, epoch: int = 1) -> tuple[Role, list[bool]]:
    """The role that a gateway of this class chooses, and whether it falls back as with the whole model."""
    router = Router({"m": ()}, hosts={"m": host})
    states = {each.scope: "safe" if each.scope in safe else "normal" for each in SCOPES}
    router.apply(Routes("m", epoch, safe, {"model": "normal", **states}, added=SCOPES))
    (role,) = router.route("m", ONE)[0]
    return role, router.fall_back_with_model("m", ONE)


@pytest.mark.parametrize(
    ("host", "safe", "expected"),
    [
        (NEW, f"host={NEW}", Role.BASELINE),
        (OLD, f"host={NEW}", Role.COMPRESSED),
        ("riscv", f"host={NEW}", Role.COMPRESSED),
        ("riscv", "host=other", Role.BASELINE),
        (NEW, "host=other", Role.COMPRESSED),
        ("", "host=other", Role.COMPRESSED),
        (OLD, "model", Role.BASELINE),
    ],
)
def test_gateway_follows_the_scope_of_its_own_class(host: str, safe: str, expected: Role) -> None:
    """A class without a scope of its own is in `host=other`; one that is not known is in none."""
    role, falls_back = answers(host, safe)
    assert role is expected
    assert falls_back == [expected is Role.BASELINE]


def test_class_of_hosts_is_no_group_of_rows() -> None:
    """No row is looked at, and no scope of it is unknown here."""
    assert answers(OLD, f"host={NEW}")[0] is Role.COMPRESSED
    assert answers("", f"host={NEW}", f"host={OLD}")[0] is Role.COMPRESSED
