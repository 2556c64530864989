"""The input columns that are searched for harmed groups, their words, and the lattice of the golden rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tightrope.monitors.compare import MATRIX_DIMENSIONS
from tightrope.monitors.hunter.columns import ANSWER_COLUMNS, InputColumn, features_of
from tightrope.monitors.hunter.lattice import build_lattice
from tightrope.monitors.plan import Plan
from tightrope.service.adapters.journal.column_redaction import OTHER_COLUMNS, column_keys
from tightrope.service.config.columns import ColumnKey, ColumnSection
from tightrope.service.inference.row_files.row_file import RowFile, row_count
from tightrope.service.inference.subgroup_codes import ReportMistake
from tightrope.service.inference.subgroups import Subgroups
from tightrope.service.protocol.tensors import TensorSpec

MAX_INPUT_COLUMNS = 64
"""An input with more columns, such as an image, is searched only in those with words of their own."""

LISTED_COLUMNS = 20
"""Names of columns in an error message."""


def build_columns(
    sections: Mapping[ColumnKey, ColumnSection], inputs: Sequence[TensorSpec], report: ReportMistake
) -> tuple[InputColumn, ...]:
    """The columns of numbers of inputs that are vectors or matrices; those of texts are not searched."""
    written = {_input_and_index(key, inputs): section for key, section in sections.items()}
    for key in sections:
        name, index = _input_and_index(key, inputs)
        spec = next((each for each in inputs if each.name == name), None)
        if spec is None or index >= _width(spec):
            shown = ", ".join(f"{each.name} {each.datatype}{list(each.shape)}" for each in inputs)
            report(f"columns.{key}", f"there is no such column of numbers; the inputs are {shown}")
    return tuple(_columns(written, inputs))


def check_redacted(keys: Iterable[str], columns: Sequence[InputColumn], report: ReportMistake) -> None:
    """Report the keys of the record's columns that name none: a value could be recorded that should not be."""
    known = {OTHER_COLUMNS}.union(*(column_keys(column) for column in columns))
    for key in keys:
        if key not in known:
            shown = ", ".join(column.name for column in columns[:LISTED_COLUMNS]) or "none"
            report(f"redact.columns.{key}", f"there is no such column; the columns of the model are {shown}")


def _input_and_index(key: ColumnKey, inputs: Sequence[TensorSpec]) -> tuple[str, int]:
    """The input and the column that a key names; no input where it leaves out which one."""
    if isinstance(key, int):
        return (inputs[0].name if len(inputs) == 1 else ""), key
    name, _, index = key.rpartition(":")
    return name, int(index)


def _columns(written: Mapping[tuple[str, int], ColumnSection], inputs: Sequence[TensorSpec]) -> Iterator[InputColumn]:
    for spec in inputs:
        for index in range(_width(spec)):
            section = written.get((spec.name, index))
            if section is None and _width(spec) > MAX_INPUT_COLUMNS:
                continue
            section = section or ColumnSection()
            number = f"column {index}" if len(inputs) == 1 else f"{spec.name}, column {index}"
            codes = {float(np.float32(code)): words for code, words in section.codes.items()}
            is_titled = section.title is not None
            yield InputColumn(spec.name, index, section.title or number, codes, is_titled, section.searched)


def _width(spec: TensorSpec) -> int:
    """The number of columns of an input of numbers: 0 where it has other sides, or callers choose."""
    if spec.datatype == "BYTES" or not 0 < len(spec.shape) <= MATRIX_DIMENSIONS:
        return 0
    width = spec.shape[1] if len(spec.shape) == MATRIX_DIMENSIONS else 1
    return max(width, 0)


def with_reference(plan: Plan, subgroups: Subgroups, rows: RowFile) -> Plan:
    """The plan with the lattice of the golden rows; nothing of the models' answers is in it."""
    if plan.search is None:
        return plan
    columns = plan.search.columns
    features = np.concatenate([features_of(columns, part, row_count(part)) for part in rows.parts])
    answers = np.full((len(features), len(ANSWER_COLUMNS)), np.nan)
    vectors = np.column_stack([features, answers, rows.members(subgroups)]).astype(np.float64)
    lattice = build_lattice(plan.search.layout, vectors, np.full(len(vectors), np.nan), plan.search.limit)
    return replace(plan, search=replace(plan.search, reference=lattice))
