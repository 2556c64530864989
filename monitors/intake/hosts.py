"""Counts of compared rows by the class of the host that ran the compressed model, for each scope.

Kernels of quantized models give other results on other processors, so harm may come from one class of hosts only.
"""

from collections.abc import Mapping

import numpy as np

from tightrope.monitors.records import Bools, Comparisons, Ints, Texts
from tightrope.monitors.scopes import rows_of_scopes

MAX_HOST_CLASSES, OTHER_HOSTS = 16, "other"
"""Classes that are counted apart, and the name under which all further ones are counted."""

MIN_HOST_ROWS, ONE_HOST_SHARE = 64, 0.9
"""Rows of a scope from which a class counts as seen, and the share of a scope's disagreements that makes one class
their source, unless it has that share of the rows too.
"""

HostRows = Mapping[str, Ints]
"""Rows and disagreements of each scope, (S, 2), by host class."""


def compressed_hosts(rows: Comparisons) -> Texts:
    """The class of the host that ran the compressed model, (n,): the serving one, or the shadow's; empty: unknown."""
    return np.asarray(np.where(rows.served_by_baseline, rows.shadow_host_class, rows.host_class), dtype=object)


def count_hosts(before: HostRows, rows: Comparisons, member: Bools) -> HostRows:
    """Add rows with their membership, (n, S), to the counts."""
    hosts, counts = compressed_hosts(rows), dict(before)
    for name in dict.fromkeys(hosts.tolist()):
        own = hosts == name
        added = rows_of_scopes([own, own & rows.disagree], member).T
        key = bounded_host(name, counts)
        counts[key] = counts.get(key, np.zeros_like(added)) + added
    return {name: counts[name] for name in sorted(counts)}


def bounded_host(name: str, known: Mapping[str, object]) -> str:
    """The name under which a class is counted."""
    return name if name in known or len(known) < MAX_HOST_CLASSES else OTHER_HOSTS


def host_detail(counts: HostRows, scope: int) -> dict[str, dict[str, int]]:
    """The rows and disagreements of a scope by host class, for an event."""
    return {
        name or "unknown": {"rows": int(rows[scope, 0]), "disagreements": int(rows[scope, 1])}
        for name, rows in counts.items()
        if rows[scope, 0]
    }


def one_host_note(counts: HostRows, scope: int) -> str:
    """A sentence if nearly all disagreements of a scope come from one class while several are seen; else empty."""
    seen = {name: rows[scope] for name, rows in counts.items() if rows[scope, 0] >= MIN_HOST_ROWS}
    rows, disagreements = np.sum([*seen.values(), np.zeros(2, np.int64)], axis=0).tolist()
    for name, (own_rows, own_disagreements) in seen.items():
        if (
            len(seen) > 1
            and disagreements
            and own_disagreements >= ONE_HOST_SHARE * disagreements
            and own_rows < ONE_HOST_SHARE * rows
        ):
            share = f"{own_disagreements} of {disagreements} disagreements"
            return f"; {share} come from one class of hosts: {name or 'unknown'} ({len(seen)} classes seen)"
    return ""
