"""A found group as a scope: watched at once, or by the lines of configuration that declare it, or its parts."""

import re

import numpy as np

from tightrope.monitors.added_scopes.added_scope import AddedScope, ColumnRange
from tightrope.monitors.hunter.columns import InputColumn, Layout, Predicate
from tightrope.monitors.hunter.findings import FoundGroup
from tightrope.monitors.scopes import scope_name

NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
"""Characters that no name in the configuration has."""


PART_MARK = "+"
"""Between the parts of the name of a scope that has several: no name in the configuration has it."""


def added_scope(found: FoundGroup, layout: Layout) -> AddedScope | None:
    """The scope of a found group, with the name that its declaration would have; None where it has none.

    The model's answer is not known when a request is routed, so the scope has all rows of the other parts.

    >>> layout = Layout((InputColumn("x", 3, "residence", {17.0: "group quarters"}, is_titled=True),), ("sex=f",))
    >>> found = FoundGroup(1, ((0, 17.0, 17.0), (3, 1.0, 1.0)), 0.1, 9, 0.0, 1, 0.0, 20.0, 28.0, 18.0)
    >>> added_scope(found, layout).scope
    'residence+sex=group_quarters+f'
    """
    inputs, within = _split(found, layout)
    parts = [_name_and_value(layout.columns[column], low, high) for column, low, high in inputs]
    parts += [(name, value) for name, _, value in (scope.partition("=") for scope in within)]
    if not parts:
        return None
    names, values = (PART_MARK.join(each) for each in zip(*parts, strict=True))
    known = [each for each in found.predicates if not len(layout.columns) <= each[0] < layout.declared]
    ranges = [ColumnRange(layout.columns[i].input, layout.columns[i].index, low, high) for i, low, high in inputs]
    return AddedScope(scope_name(names, values), layout.words(known), tuple(ranges), tuple(within))


def _split(found: FoundGroup, layout: Layout) -> tuple[list[Predicate], list[str]]:
    """The predicates of input columns, and the declared subgroups."""
    inputs = [each for each in found.predicates if each[0] < len(layout.columns)]
    return inputs, [layout.scopes[each[0] - layout.declared] for each in found.predicates if each[0] >= layout.declared]


def declaration(model: str, found: FoundGroup, layout: Layout) -> str:
    """Lines of YAML below ``models``; empty where no subgroup can be cut from input columns. A subgroup is cut from one
    column, so each predicate of an input column is declared by itself; what is left out is told in a comment.

    >>> layout = Layout((InputColumn("x", 3, "residence", {17.0: "group quarters"}, is_titled=True),), ())
    >>> print(declaration("m", FoundGroup(1, ((0, 17.0, 17.0),), 0.1, 9, 0.0, 1, 0.0, 20.0, 28.0, 18.0), layout))
    models:
      m:
        subgroups:
          residence: {column: 3, values: {group_quarters: [17]}}
    """
    inputs, _ = _split(found, layout)
    if not inputs:
        return ""
    several = len({column.input for column in layout.columns}) > 1
    lines = [_line(layout.columns[column], low, high, several=several) for column, low, high in inputs]
    notes = [layout.words([each]) for each in found.predicates if each not in inputs]
    if len(found.predicates) > 1:
        lines.insert(0, "# a subgroup has one column: these are larger than the group that was found")
    lines += [f"# left out: {words}" for words in notes]
    return "\n".join(["models:", f"  {model}:", "    subgroups:", *(f"      {line}" for line in lines)])


def _line(column: InputColumn, low: float, high: float, *, several: bool) -> str:
    source = f"input: {column.input}, " if several else ""
    name, value = _name_and_value(column, low, high)
    if low == high:
        return f"{name}: {{{source}column: {column.index}, values: {{{value}: [{_number(low)}]}}}}"
    ends = f"high: {_number(high)}" if np.isneginf(low) else f"low: {_number(low)}"
    return f"{name}: {{{source}column: {column.index}, values: {{{value}: {{{ends}}}}}}}"


def _name_and_value(column: InputColumn, low: float, high: float) -> tuple[str, str]:
    """The attribute and the value of the subgroup that has these values of a column."""
    if low == high:
        return _name(column.name), _name(column.codes.get(low, f"value_{low:g}"))
    return _name(column.name), "low" if np.isneginf(low) else "high"


def _number(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _name(words: str) -> str:
    return NOT_A_NAME.sub("_", words).strip("_") or "group"
