"""The alerts that two scrapes of one process make fire: a small evaluator of the PromQL that the shipped rules use.

Waiting times (`for`) count as over. The first scrape is the start of every range, the second one its end.
"""

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

from tests.support.observability.alert_rules import alerts, rules

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Value: TypeAlias = Vector | float

OTHER_SUBJECTS = frozenset(
    {
        "TightropeWatchdog",  # always fires
        "TightropeEvidenceHigh",  # a warning before anything is proven
        "TightropeRowsDependent",
        "TightropeGroupFound",
        "TightropeDrift",
        "TightropeLabelCoverageLow",
    }
)
"""Alerts that say nothing about whether the guard works."""

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda a, b: a / b if b else float("inf") if a else float("nan"),
    "^": operator.pow,
}
AGGREGATES: Mapping[str, Callable[[list[float]], float]] = {"max": max, "min": min, "sum": sum, "count": len}
INCREASES = {"increase", "rate", "irate", "delta", "deriv", "changes"}
LEVELS = {"last_over_time", "max_over_time", "avg_over_time"}
"""Functions of a range: by how much a series grew, or its value."""


def firing(before: str, after: str) -> list[str]:
    """Names of the alerts about the guard that fire; both texts are expositions in the format of Prometheus."""
    scrapes = Scrapes(_samples(before), _samples(after))
    return [name for name, rule in alerts().items() if name not in OTHER_SUBJECTS and scrapes.holds(rule["expr"])]


def _samples(text: str) -> Mapping[str, Vector]:
    samples: dict[str, Vector] = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples[sample.name][frozenset(sample.labels.items())] = sample.value
    return samples


@dataclass(frozen=True)
class Scrapes:
    """Two scrapes of one process, each with its series by name."""

    before: Mapping[str, Vector]
    after: Mapping[str, Vector]
    recording: frozenset[str] = frozenset()

    def holds(self, expression: str) -> bool:
        """Whether an alert with this expression fires."""
        value = self._value(promql_parser.parse(expression))
        return bool(value) if isinstance(value, dict) else True

    def _value(self, node: Any) -> Value:  # noqa: ANN401 - the parser's own
        evaluate: Mapping[str, Callable[[], Value]] = {
            "NumberLiteral": lambda: float(node.val),
            "ParenExpr": lambda: self._value(node.expr),
            "UnaryExpr": lambda: {labels: -value for labels, value in _vector(self._value(node.expr)).items()},
            "VectorSelector": lambda: self._select(node, self.after),
            "Call": lambda: self._call(node),
            "AggregateExpr": lambda: _aggregate(node, _vector(self._value(node.expr))),
            "BinaryExpr": lambda: _binary(node, self._value(node.lhs), self._value(node.rhs)),
        }
        return evaluate[type(node).__name__]()

    def _select(self, node: Any, samples: Mapping[str, Vector]) -> Vector:  # noqa: ANN401 - as above
        recorded = [rule["expr"] for rule in rules("recording.yml") if rule["record"] == node.name]
        if recorded:
            if node.name in self.recording:  # a rule that reads its own past, and begins
                return {}
            inner = replace(self, recording=self.recording | {node.name})
            value = inner._value(promql_parser.parse(recorded[0]))
            return value if isinstance(value, dict) else {}
        series = samples.get(node.name, {})
        return {labels: value for labels, value in series.items() if _matches(node, dict(labels))}

    def _call(self, node: Any) -> Value:  # noqa: ANN401 - as above
        name = node.func.name
        if name in INCREASES | LEVELS and type(node.args[0]).__name__ == "MatrixSelector":
            selector = node.args[0].vector_selector
            end = self._select(selector, self.after)
            start = self._select(selector, self.before) if name in INCREASES else {}
            return {labels: value - start.get(labels, 0.0) for labels, value in end.items()}
        value = self._value(node.args[0]) if node.args else 0.0
        if name == "absent":
            return {} if value else {frozenset(): 1.0}
        if name == "sqrt":
            return {labels: each**0.5 for labels, each in _vector(value).items()}
        return value if name == "scalar" else _vector(value)


def _vector(value: Value) -> Vector:
    return value if isinstance(value, dict) else {frozenset(): value}


def _matches(node: Any, labels: Mapping[str, str]) -> bool:  # noqa: ANN401 - as above
    for matcher in node.matchers.matchers:
        value, kind = labels.get(matcher.name, ""), str(matcher.op)
        is_regex = kind.endswith("Re")
        matches = bool(re.fullmatch(matcher.value, value)) if is_regex else value == matcher.value
        if matches is kind.startswith("MatchOp.Not"):
            return False
    return True


def _aggregate(node: Any, vector: Vector) -> Vector:  # noqa: ANN401 - as above
    names = set(node.modifier.labels) if node.modifier else set()
    without = node.modifier is not None and "Without" in str(node.modifier.type)
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in vector.items():
        groups[frozenset(item for item in labels if (item[0] in names) is not without)].append(value)
    return {labels: float(AGGREGATES[str(node.op)](values)) for labels, values in groups.items()}


def _binary(node: Any, left: Value, right: Value) -> Value:  # noqa: ANN401 - as above
    name = str(node.op)
    if not isinstance(left, dict) and not isinstance(right, dict):
        return ARITHMETIC[name](left, right)
    on = node.modifier.matching if node.modifier else None
    if name in {"or", "and", "unless"}:
        return _set_operation(name, _vector(left), _vector(right), on)
    pairs: dict[Labels, tuple[float, float]] = {}
    if not isinstance(left, dict):
        pairs = {labels: (left, value) for labels, value in _vector(right).items()}
    elif not isinstance(right, dict):
        pairs = {labels: (value, right) for labels, value in left.items()}
    else:
        others = {_key(labels, on): value for labels, value in right.items()}
        pairs = {labels: (v, others[_key(labels, on)]) for labels, v in left.items() if _key(labels, on) in others}
    if name in COMPARISONS:
        return {labels: a for labels, (a, b) in pairs.items() if COMPARISONS[name](a, b)}
    return {labels: ARITHMETIC[name](a, b) for labels, (a, b) in pairs.items()}


def _set_operation(name: str, left: Vector, right: Vector, on: Any) -> Vector:  # noqa: ANN401 - as above
    keys = {_key(labels, on) for labels in (left if name == "or" else right)}
    if name == "or":
        return left | {labels: value for labels, value in right.items() if _key(labels, on) not in keys}
    return {labels: value for labels, value in left.items() if (_key(labels, on) in keys) is (name == "and")}


def _key(labels: Labels, on: Any) -> Labels:  # noqa: ANN401 - as above
    """The labels by which two vectors are matched: those of `on (…)`, or all but those of `ignoring (…)`."""
    if on is None:
        return labels
    names = set(on.labels)
    return frozenset(item for item in labels if (item[0] in names) is ("Exclude" not in str(on.type)))
