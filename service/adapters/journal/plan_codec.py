"""A plan as a JSON document: everything that the fold depends on, so that it can be made again without the models.

Monitors are those of the catalogue with what is changed, functions and types are named by module, and rules are built
anew from their specifications. Reading makes only types of the program's own and calls nothing else.
"""

import hashlib
import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from importlib import import_module
from typing import Any

import numpy as np

from tightrope.monitors.budget import build_rules
from tightrope.monitors.catalogue import CATALOGUE
from tightrope.monitors.definitions.definition import MonitorDefinition
from tightrope.monitors.plan import Plan
from tightrope.service.errors import TightropeError

PLAN_FORMAT = "tightrope.plan/1"

DERIVED_FIELDS = frozenset({"rules", "base"})
"""Fields of a plan that follow from the others."""

READ_MODULES = ("tightrope.monitors.", "tightrope.service.inference.kinds.")
"""Modules whose types and functions a plan may name."""


class PlanFormatError(TightropeError):
    """A plan cannot be written, or a document is not one."""


def encode_plan(plan: Plan) -> bytes:
    """The document of a plan without the scopes that were added to it; equal plans have equal bytes.

    Raises:
        PlanFormatError: when its rules do not follow from its specifications.
    """
    plan = plan.base or plan
    rebuilt = build_rules(plan.specs, plan.policy.recovery_ratio)
    if [rule.monitor.name for rule in rebuilt] != [rule.monitor.name for rule in plan.rules]:
        raise PlanFormatError(f"plan of {plan.model}: its rules are not those of its specifications")
    body = {f.name: _to_json(getattr(plan, f.name)) for f in fields(plan) if f.name not in DERIVED_FIELDS}
    return json.dumps({"format": PLAN_FORMAT, "plan": body}, allow_nan=False).encode()


def plan_key(document: bytes) -> str:
    """The name of a plan's document: the first 16 digits of its SHA-256."""
    return hashlib.sha256(document).hexdigest()[:16]


def decode_plan(document: bytes) -> Plan:
    """The plan of a document.

    Raises:
        PlanFormatError: when it is not one, or names something that this version does not have.
    """
    try:
        body = json.loads(document)
        if body["format"] != PLAN_FORMAT:
            raise PlanFormatError(f"format: {body['format']!r} where {PLAN_FORMAT!r} should be")
        plan = Plan(rules=(), **{name: _from_json(value) for name, value in body["plan"].items()})
        return replace(plan, rules=build_rules(plan.specs, plan.policy.recovery_ratio))
    except (KeyError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise PlanFormatError(f"plan: not one of this version: {error}") from error


def _to_json(value: Any) -> Any:  # noqa: ANN401, C901, PLR0911 - any field of a plan, a case for each type
    match value:
        case Enum():
            return {"enum": _name(type(value)), "value": value.value}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": repr(value)}
        case np.ndarray():
            return {
                "array": value.dtype.str,
                "shape": list(value.shape),
                "data": np.ascontiguousarray(value).data.hex(),
            }
        case np.generic():
            return _to_json(value.item())
        case tuple():
            return [_to_json(each) for each in value]
        case list():
            return {"list": [_to_json(each) for each in value]}
        case Mapping():
            return {"map": [[_to_json(key), _to_json(each)] for key, each in value.items()]}
        case MonitorDefinition():
            own = CATALOGUE[value.name]
            changed = [f.name for f in fields(value) if getattr(value, f.name) != getattr(own, f.name)]
            return {"monitor": value.name, "changed": {name: _to_json(getattr(value, name)) for name in changed}}
        case _ if is_dataclass(value):
            values = {f.name: _to_json(getattr(value, f.name)) for f in fields(value)}
            return {"type": _name(type(value)), "fields": values}
    return {"function": _name(value)}


def _name(item: Any) -> str:  # noqa: ANN401 - a type or a function
    name = f"{getattr(item, '__module__', '')}:{getattr(item, '__qualname__', '')}"
    if _item(name) is not item:
        raise PlanFormatError(f"{name} cannot be named in a plan")
    return name


def _item(name: str) -> Any:  # noqa: ANN401 - as above
    """The type or function of the program with this name."""
    module, _, own = name.partition(":")
    item = getattr(import_module(module), own, None) if module.startswith(READ_MODULES) else None
    if getattr(item, "__module__", "") != module or not (
        is_dataclass(item) or _is_enum(item) or inspect.isfunction(item)
    ):
        raise PlanFormatError(f"{name[:100]} is nothing that a plan can name")
    return item


def _is_enum(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, Enum)


def _from_json(value: Any) -> Any:  # noqa: ANN401, PLR0911 - as above
    if isinstance(value, list):
        return tuple(_from_json(each) for each in value)
    match value:
        case {"enum": name, "value": member}:
            return _item(name)(member)
        case {"float": text}:
            return float(text)
        case {"array": dtype, "shape": shape, "data": data}:
            return np.frombuffer(bytes.fromhex(data), np.dtype(dtype)).reshape(shape)
        case {"list": items}:
            return [_from_json(each) for each in items]
        case {"map": items}:
            return {_from_json(key): _from_json(each) for key, each in items}
        case {"monitor": name, "changed": changed}:
            return replace(CATALOGUE[name], **{key: _from_json(each) for key, each in changed.items()})
        case {"type": name, "fields": values}:
            return _item(name)(**{key: _from_json(each) for key, each in values.items()})
        case {"function": name}:
            return _item(name)
    return value
