"""The scopes of classes of hosts, by their names alone."""

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.added_scopes.host_scopes import (
    OTHER_HOSTS_SCOPE,
    host_members,
    host_scope,
    named_hosts,
    scope_of_host,
)

GROUP = AddedScope("host=17", "host: 17", (ColumnRange("x", 0, 17.0, 17.0),))
ADDED = (GROUP, host_scope("x86"), host_scope("arm"))


def test_group_of_a_column_that_is_called_host_is_no_class_of_hosts() -> None:
    """It has a range of an input."""
    assert [each.is_host for each in ADDED] == [False, True, True]
    assert scope_of_host("17", ADDED) == ""
    assert [each.scope for each in named_hosts(["model", "host=17", "host=x86"], (GROUP,))] == ["host=x86"]


def test_each_class_is_in_one_scope() -> None:
    """Further ones share one, if it is there; an unknown one is in none."""
    assert [scope_of_host(name, ADDED) for name in ("x86", "arm", "riscv", "")] == ["host=x86", "host=arm", "", ""]
    assert scope_of_host("riscv", (*ADDED, host_scope("other"))) == OTHER_HOSTS_SCOPE


def test_rows_are_those_that_ran_on_the_class() -> None:
    """Also where several classes share a scope."""
    hosts = np.array(["x86", "arm", "", "riscv", "power"], object)
    added = (*ADDED, host_scope("other"))
    assert host_members("host=x86", hosts, added).tolist() == [True, False, False, False, False]
    assert host_members(OTHER_HOSTS_SCOPE, hosts, added).tolist() == [False, False, False, True, True]
    assert not host_members("host=sparc", hosts, added).any()
