"""Builds a model's subgroups from its configuration; bounds and codes get the datatype of the column they are cut from.

A code that the datatype cannot hold would never get a row, and its subgroup would be unwatched without notice: 0.1 in
an FP32 column is 0.100000001490116. So numbers are rounded as the caller's are; a code without a row is a mistake.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tightrope.monitors.compare import MATRIX_DIMENSIONS
from tightrope.monitors.scopes import OTHER_VALUE, scope_name
from tightrope.service.config.models import ModelSection
from tightrope.service.config.subgroups import Range, SubgroupCodes, SubgroupSection, normalised
from tightrope.service.inference.subgroups import (
    IntervalScopes,
    OtherScope,
    ParameterScopes,
    Subgroups,
    TextScopes,
    TextValues,
)
from tightrope.service.protocol.tensors import HALF, TensorSpec, dtype_of

MAX_EXACT_INTEGER = 2.0**53
"""The configuration holds numbers as FP64: beyond this, neighbouring integers are the same number."""

ReportMistake: TypeAlias = Callable[[str, str], None]
"""Takes a key of the model's section, and the mistake."""


def build_subgroups(section: ModelSection, inputs: Sequence[TensorSpec], report: ReportMistake) -> Subgroups:
    """The subgroups of a model with these inputs; each attribute has its declared values, then ``other``."""
    scopes: list[str] = []
    others: list[OtherScope] = []
    by_parameter: list[ParameterScopes] = []
    by_text: list[TextScopes] = []
    intervals: dict[str, list[tuple[int, float, float, int]]] = {}
    specs = {spec.name: spec for spec in inputs}
    for attribute, subgroup in section.subgroups.items():
        first = len(scopes)
        indices = {value: first + i for i, value in enumerate(subgroup.values)}
        scopes += [scope_name(attribute, value) for value in (*subgroup.values, OTHER_VALUE)]
        source = None if subgroup.parameter is not None else _source(attribute, subgroup, specs, report)
        others.append(_other(subgroup, source, first))
        if source is not None and source.datatype != "BYTES":
            held = _intervals(attribute, subgroup, source, report)
            cuts = [(subgroup.cut[0], low, high, indices[value]) for value, low, high in held]
            intervals.setdefault(source.name, []).extend(cuts)
            continue
        by_value = [(indices[value], text) for value, texts in subgroup.texts.items() for text in texts]
        steps = tuple(subgroup.normalise)
        values = TextValues({normalised(text, steps): scope for scope, text in by_value}, steps)
        if subgroup.parameter is not None:
            by_parameter.append(ParameterScopes(subgroup.parameter, values))
        elif source is not None:
            by_text.append(TextScopes(source.name, subgroup.cut[0], values))
    by_interval = [IntervalScopes.from_intervals(name, entries) for name, entries in intervals.items() if entries]
    return Subgroups(tuple(scopes), tuple(by_parameter), (*by_interval, *by_text), tuple(others))


def _other(subgroup: SubgroupSection, source: TensorSpec | None, first: int) -> OtherScope:
    """The scope after the attribute's declared values; ``first`` is the index of the first of these."""
    where = f"input {source.name!r}, column {subgroup.column}" if source else ""
    scope = first + len(subgroup.values)
    return OtherScope(first, scope, subgroup.otherwise, subgroup.parameter, where, ", ".join(_shown_values(subgroup)))


def _shown_values(subgroup: SubgroupSection) -> Iterator[str]:
    """The declared values as a caller has to know them: names of a parameter's, the codes of a column's."""
    _, codes_by_value = subgroup.cut
    for value in subgroup.values:
        codes = codes_by_value.get(value)
        if isinstance(codes, Range):
            yield f"{value} ({codes.low:g} to {codes.high:g})"
        else:
            yield value if codes is None else f"{value} ({', '.join(map(str, codes))})"


def _source(
    attribute: str, subgroup: SubgroupSection, specs: Mapping[str, TensorSpec], report: ReportMistake
) -> TensorSpec | None:
    """The input that a subgroup is cut from; None after a mistake."""
    name = subgroup.input or (next(iter(specs)) if len(specs) == 1 else None)
    key = f"subgroups.{attribute}"
    if name is None or name not in specs:
        report(f"{key}.input", f"is {name!r}; it must name one of the inputs {', '.join(specs)}")
        return None
    spec = specs[name]
    signature = f"{spec.datatype}{list(spec.shape)}"
    width = spec.shape[1] if len(spec.shape) == MATRIX_DIMENSIONS else 1
    if len(spec.shape) > MATRIX_DIMENSIONS or (width >= 0 and not 0 <= subgroup.cut[0] < width):
        report(f"{key}.column", f"is {subgroup.column}; input {name!r} is {signature}")
        return None
    is_text = spec.datatype == "BYTES"
    if any(is_text != _are_texts(codes) for codes in subgroup.cut[1].values()):
        report(f"{key}.values", f"must be {'strings' if is_text else 'numbers'}: input {name!r} is {signature}")
        return None
    return spec


def _are_texts(codes: SubgroupCodes) -> bool:
    return isinstance(codes, list) and isinstance(codes[0], str)


def _intervals(
    attribute: str, subgroup: SubgroupSection, source: TensorSpec, report: ReportMistake
) -> Iterator[tuple[str, float, float]]:
    """Each value's codes and ranges as the numbers of the datatype that they hold: value, low, high. Where callers may
    also send FP16, an interval has the numbers of both datatypes.
    """
    datatypes = (HALF, source.datatype) if source.takes_half else (source.datatype,)
    datatype, held = datatypes[0], dict[float, tuple[str, float]]()
    for value, codes in subgroup.cut[1].items():
        key = f"subgroups.{attribute}.values.{value}"
        if isinstance(codes, Range):
            low, high = hold_range(codes.low, codes.high, datatype)
            if low > high:
                report(key, f"no {datatype} number is from {codes.low:g} to {codes.high:g}; it would never get a row")
            ends = [hold_range(codes.low, codes.high, each) for each in datatypes]
            yield value, min(least for least, _ in ends), max(most for _, most in ends)
            continue
        for code in map(float, codes):
            number = hold_code(code, datatype)
            if number is None:
                report(key, f"{code!r} is not a number that {datatype} can hold; it would never get a row")
                continue
            owner, as_written = held.setdefault(number, (value, code))
            if as_written != code and owner != value:
                report(key, f"{code!r} is the same {datatype} number as {as_written!r} of {owner}")
            numbers = [each for each in (hold_code(code, other) for other in datatypes) if each is not None]
            yield value, min(numbers), max(numbers)


def hold_code(code: float, datatype: str) -> float | None:
    """The number of a datatype that stands for a code; None if it cannot hold one.

    >>> hold_code(0.1, "FP32"), hold_code(0.5, "INT8"), hold_code(300, "UINT8")
    (0.10000000149011612, None, None)
    """
    dtype = dtype_of(datatype)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            number = float(dtype.type(code))
        return number if np.isfinite(number) or np.isinf(code) else None
    low, high = _bounds(dtype)
    is_held = low <= code <= high and code.is_integer() and abs(code) < MAX_EXACT_INTEGER
    return code if is_held else None


def hold_range(low: float, high: float, datatype: str) -> tuple[float, float]:
    """The lowest and the highest number of a datatype in a range; the former is above the latter if it holds nothing.

    >>> hold_range(0.1, float("inf"), "FP32"), hold_range(0.5, 9.5, "INT8"), hold_range(0.2, 0.8, "INT8")
    ((0.10000000149011612, inf), (1.0, 9.0), (1.0, 0.0))
    """
    dtype = dtype_of(datatype)
    if dtype.kind == "f":
        if low > float(np.finfo(dtype).max) or high < float(np.finfo(dtype).min):
            return np.inf, -np.inf
        with np.errstate(over="ignore"):
            return float(dtype.type(low)), float(dtype.type(high))
    least, most = _bounds(dtype)
    return max(float(np.ceil(low)), least), min(float(np.floor(high)), most)


def _bounds(dtype: np.dtype[Any]) -> tuple[float, float]:
    """The lowest and the highest number of an integer datatype, or of BOOL."""
    if dtype.kind == "b":
        return 0.0, 1.0
    info = np.iinfo(dtype)
    return float(info.min), float(info.max)
