"""The records that members exchange, in the form that members of the first release (0.1) read.

While a cluster is upgraded, members of both releases are on its topics, and the old ones park every record of a version
that they do not know: comparisons would be lost, and modes would not reach an old gateway. So these records keep the
version and the fields of the first release in ``body``, and have all later fields beside it in ``added``, which old
members ignore:

    {"schema": "tightrope.labels", "version": 1, "body": [{...}], "added": [{"source": "", ...}]}

Snapshots keep their frame as well: an old judge that takes over again finds that it cannot read the state in it, and
begins in safe mode, instead of going on from an older state.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

FIRST_VERSION = 1

_PAIRED = frozenset(("model", "baseline_digest", "compressed_digest", "scopes", "request_id", "time", "member"))
_DRAWN = frozenset(("served_by_baseline", "draw", "inclusion", "seconds"))
_BY_ROLE = frozenset(
    f"{name}_{role}"
    for name in ("confidence", "entropy", "margin", "refused", "top", "correct")
    for role in ("baseline", "compressed")
)

FIRST_RELEASE_FIELDS: Mapping[str, frozenset[str] | None] = MappingProxyType(
    {
        "tightrope.samples": _PAIRED | _DRAWN | {"rows", "inputs", "outputs"},
        "tightrope.comparisons": _PAIRED
        | _DRAWN
        | _BY_ROLE
        | {"log", "partition", "offset", "disagree", "distance", "twin", "self_disagree", "fault"},
        "tightrope.event": frozenset(("id", "time", "model", "kind", "scope", "actor", "reason", "detail")),
        "tightrope.order": frozenset(("id", "time", "model", "scope", "order", "actor", "reason")),
        "tightrope.routes": frozenset(("model", "epoch", "safe", "states", "order")),
        "tightrope.labels": frozenset(("model", "request_id", "row", "label", "time")),
        "tightrope.traffic": frozenset(("model", "time", "kept", "since")),
        "tightrope.snapshot": frozenset(("log", "state", "positions")),
        "tightrope.heartbeat": None,
    }
)
"""The schemas that are written for members of the first release too, with the fields that these read; None
where they skip the record.
"""


def split_fields(schema: str, body: object) -> tuple[object, object]:
    """Split the body of a record, a map or a list of maps, into the fields of the first release and the later ones
    (None if it has only the former).
    """
    known = FIRST_RELEASE_FIELDS[schema]
    if known is None:
        return body, None
    if isinstance(body, list):
        first, later = [_chosen(item, known) for item in body], [_others(item, known) for item in body]
        return first, later if any(later) else None
    return _chosen(body, known), _others(body, known) or None


def _chosen(fields: Any, known: frozenset[str]) -> dict[str, object]:  # noqa: ANN401 - a map with names as keys
    return {name: value for name, value in fields.items() if name in known}


def _others(fields: Any, known: frozenset[str]) -> dict[str, object]:  # noqa: ANN401 - as above
    return {name: value for name, value in fields.items() if name not in known}
