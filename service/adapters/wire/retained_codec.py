"""The part of a snapshot that outlives its plan, as plain maps. Snapshots of earlier versions do not have it."""

from collections.abc import Mapping
from typing import Any

from tightrope.monitors.history.retained import PairRecord, Retained, ScopeRecord
from tightrope.monitors.safemode import Mode, ModeState
from tightrope.service.adapters.wire.bounds import INDICES
from tightrope.service.adapters.wire.envelope import WireError, mapping, names, record_fields, text


def retained_fields(retained: Retained) -> dict[str, object]:
    """Return it as maps with sorted keys, so that equal ones have equal bytes."""
    return {
        "orphans": _scope_records(retained.orphans),
        "disabled": dict(sorted(retained.disabled.items())),
        "pairs": [{**record_fields(pair), "harmed": _scope_records(pair.harmed)} for pair in retained.pairs],
        "settings": dict(sorted(retained.settings.items())),
        "orders": list(retained.orders),
        "statement": retained.statement,
    }


def read_retained(body: object) -> Retained:
    """Return it from its maps; what is missing is unknown.

    Raises:
        WireError, KeyError, TypeError or ValueError: when a part does not fit.
    """
    values = mapping(body, "retained")
    return Retained(
        orphans=_read_scope_records(values.get("orphans", {}), "retained.orphans"),
        disabled={
            scope: names(off, "retained.disabled")
            for scope, off in mapping(values.get("disabled", {}), "retained.disabled").items()
        },
        pairs=tuple(_read_pair(mapping(pair, "retained.pairs")) for pair in values.get("pairs", [])),
        settings=mapping(values.get("settings", {}), "retained.settings"),
        orders=names(values.get("orders", []), "retained.orders"),
        statement=text(values.get("statement", ""), "retained.statement"),
    )


def class_numbers(value: object, where: str) -> tuple[int, ...]:
    """A list of numbers of classes, or a `WireError`."""
    if not isinstance(value, list) or not all(type(each) is int and INDICES.contains(each) for each in value):
        raise WireError(f"{where}: must be a list of whole numbers {INDICES}")
    return tuple(value)


def read_mode(body: Mapping[str, Any]) -> Mode:
    """Return a scope's mode from its map; fields that it lacks have their defaults."""
    asked = class_numbers(body.get("asked", []), "modes.asked")
    return Mode(**{**body, "state": ModeState(body["state"]), "asked": asked})


def _read_pair(body: Mapping[str, Any]) -> PairRecord:
    return PairRecord(**{**body, "harmed": _read_scope_records(body["harmed"], "retained.pairs")})


def _scope_records(records: Mapping[str, ScopeRecord]) -> dict[str, object]:
    return {scope: record_fields(record) for scope, record in sorted(records.items())}


def _read_scope_records(body: object, where: str) -> dict[str, ScopeRecord]:
    return {
        scope: ScopeRecord(read_mode(record["mode"]), names(record["monitors"], where), record.get("definition"))
        for scope, record in mapping(body, where).items()
    }
