"""The metrics that a PromQL expression selects."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser

PARTS = ("lhs", "rhs", "expr", "param", "args", "vector_selector")


class Selector(NamedTuple):
    """A metric, and the values that its labels are compared with."""

    name: str
    labels: dict[str, str]


def selectors(expression: str) -> list[Selector]:
    """All metrics that an expression selects."""
    return [Selector(node.name, _labels(node)) for node in _walk(promql_parser.parse(expression)) if _selects(node)]


def _selects(node: Any) -> bool:  # noqa: ANN401 - the parser's own
    return isinstance(node, promql_parser.VectorSelector)


def _labels(node: Any) -> dict[str, str]:  # noqa: ANN401 - as above
    return {matcher.name: matcher.value for matcher in node.matchers.matchers}


def _walk(node: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    yield node
    for name in PARTS:
        part = getattr(node, name, None)
        for inner in part if isinstance(part, list) else [part]:
            if inner is not None:
                yield from _walk(inner)
