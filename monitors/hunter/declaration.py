"""The lines of configuration that declare a found group, or its parts, as subgroups."""

import re

import numpy as np

from tightrope.monitors.hunter.columns import InputColumn, Layout
from tightrope.monitors.hunter.findings import FoundGroup

NOT_A_NAME = re.compile(r"[^A-Za-z0-9_.-]+")
"""Characters that no name in the configuration has."""


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
    inputs = [each for each in found.predicates if each[0] < len(layout.columns)]
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
    name = _name(column.name)
    if low == high:
        value = _name(column.codes.get(low, f"value_{low:g}"))
        return f"{name}: {{{source}column: {column.index}, values: {{{value}: [{_number(low)}]}}}}"
    value, ends = ("low", f"high: {_number(high)}") if np.isneginf(low) else ("high", f"low: {_number(low)}")
    return f"{name}: {{{source}column: {column.index}, values: {{{value}: {{{ends}}}}}}}"


def _number(value: float) -> str:
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)


def _name(words: str) -> str:
    return NOT_A_NAME.sub("_", words).strip("_") or "group"
