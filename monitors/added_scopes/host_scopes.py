"""Scopes of classes of hosts: kernels of quantized models give other results on other processors, so a compressed model
may be harmful on one class of hosts alone.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.added_scopes.added_scope import HOST_ATTRIBUTE, AddedScope

OTHER_HOSTS_SCOPE = f"{HOST_ATTRIBUTE}=other"
"""The scope of all classes that have none of their own."""

MAX_HOST_SCOPES = 8
"""Classes of hosts that have a scope of their own."""


def host_scope(host_class: str, time: float = 0.0) -> AddedScope:
    """The scope of the rows for which the compressed model ran on a class of hosts.

    >>> host_scope("x86_64").scope, host_scope("x86_64").is_host
    ('host=x86_64', True)
    """
    words = "hosts of all other classes" if host_class == "other" else f"hosts of class {host_class}"
    return AddedScope(f"{HOST_ATTRIBUTE}={host_class}", words, (), actor="judge", reason="several are seen", time=time)


def scope_of_host(host_class: str, added: Sequence[AddedScope]) -> str:
    """The name of the scope that a class of hosts belongs to; empty if none is there, or the class is not known.

    >>> scope_of_host("arm", [host_scope("x86_64"), host_scope("other")])
    'host=other'
    """
    names = [each.scope for each in added if each.is_host] if host_class else []
    own = f"{HOST_ATTRIBUTE}={host_class}"
    return own if own in names else OTHER_HOSTS_SCOPE if OTHER_HOSTS_SCOPE in names else ""


def host_members(scope: str, hosts: NDArray[np.object_], added: Sequence[AddedScope]) -> NDArray[np.bool_]:
    """The rows of a scope, (n,), from the class of the host that ran the compressed model for each (empty: unknown)."""
    own = [name for name in dict.fromkeys(hosts.tolist()) if scope_of_host(name, added) == scope]
    return np.asarray(np.logical_or.reduce([np.zeros(len(hosts), dtype=bool), *(hosts == name for name in own)]))


def named_hosts(scopes: Iterable[str], added: Sequence[AddedScope]) -> tuple[AddedScope, ...]:
    """The host scopes among scope names, without the ``added`` groups: their names alone tell their rows."""
    others, prefix = {each.scope for each in added}, f"{HOST_ATTRIBUTE}="
    hosts = (name.removeprefix(prefix) for name in scopes if name.startswith(prefix) and name not in others)
    return tuple(host_scope(name) for name in hosts)
