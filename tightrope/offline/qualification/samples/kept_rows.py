"""Kept rows of traffic that can be run again: read from the archive, and refused with a reason where they cannot."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tightrope.monitors.records import Fault
from tightrope.service.adapters.archive.archive import REFERENCE_FOLDER
from tightrope.service.adapters.archive.row_format import FileHeader, load_rows
from tightrope.service.adapters.archive.row_inputs import decode_row
from tightrope.service.adapters.archive.segments import INPUTS_SUFFIX, segment_files
from tightrope.service.protocol.tensors import TensorSpec, dtype_of

EARLIER_VERSION = "kept by an earlier version, without their inputs"
CUT = "cut: longer than reports.row_bytes"
DAMAGED_INPUTS = "damaged: their inputs are not as they were written"
OTHER_INPUTS = "do not fit the inputs of the model"
TWICE = "delivered twice"
FAULTY = "could not be compared when they were served"
NO_SUBGROUP = "kept before {} was declared"
UNREADABLE_FILES = "files that cannot be read"


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One row: its record, its inputs of one row, the header of its file, and the bytes of the inputs."""

    record: Any
    inputs: Mapping[str, NDArray[Any]]
    header: FileHeader
    content: bytes

    @property
    def order(self) -> tuple[object, ...]:
        """The place among all rows: rows of one shape stand together, then by time."""
        shapes = tuple((name, tensor.shape) for name, tensor in sorted(self.inputs.items()))
        return shapes, float(self.record["time"]), bytes(self.record["request"]), int(self.record["row"])


@dataclass(slots=True)
class KeptRows:
    """The usable rows of one model since a time (seconds since the epoch), in order, the number of all rows of the
    period, and how many were ``refused`` for which reason.
    """

    rows: list[KeptRow] = field(default_factory=list)
    kept: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def read_kept_rows(folder: Path, inputs: Sequence[TensorSpec], needed: Sequence[str], since: float) -> KeptRows:
    """Read the rows of a model's folder, the first ones that are kept for good and the newest ones. ``needed`` are
    subgroups that only the kept rows tell: a row that was kept before one was declared is refused.
    """
    found, seen = KeptRows(), set[tuple[object, ...]]()
    for path in (*segment_files(folder / REFERENCE_FOLDER), *segment_files(folder)):
        try:
            header, records, content = _load(path)
        except (OSError, ValueError, TypeError):
            found.refused[UNREADABLE_FILES] += path.exists()  # else it expired a moment ago
            continue
        reader = _FileReader(header, content, inputs, needed)
        for record in records[records["time"] >= since]:
            row = reader.read(record)
            if isinstance(row, KeptRow):
                row = TWICE if row.order[1:] in seen else row
            found.kept += 1
            if isinstance(row, str):
                found.refused[row] += 1
            else:
                seen.add(row.order[1:])
                found.rows.append(row)
    found.rows.sort(key=lambda row: row.order)
    return found


def _load(path: Path) -> tuple[FileHeader, NDArray[Any], bytes]:
    """The header, the complete records, and the bytes of all inputs, none where they are gone."""
    header, records = load_rows(path)
    try:
        return header, records, path.with_suffix(INPUTS_SUFFIX).read_bytes()
    except FileNotFoundError:
        return header, records, b""


@dataclass(frozen=True, slots=True)
class _FileReader:
    """Reads the rows of one file."""

    header: FileHeader
    content: bytes
    inputs: Sequence[TensorSpec]
    needed: Sequence[str]

    def read(self, record: Any) -> KeptRow | str:  # noqa: ANN401 - a structured scalar
        """The row of a record, or why it cannot be run again."""
        if (reason := self._refusal(record)) is not None:
            return reason
        content = self.content[int(record["begin"]) : int(record["begin"]) + int(record["size"])]
        if len(content) != record["size"] or crc32(content) != record["checksum"]:
            return DAMAGED_INPUTS
        try:
            inputs = decode_row(content, self.header.inputs)
        except ValueError:
            return DAMAGED_INPUTS
        if not all(_fits(inputs.get(spec.name), spec) for spec in self.inputs) or len(inputs) != len(self.inputs):
            return OTHER_INPUTS
        return KeptRow(record, {spec.name: inputs[spec.name] for spec in self.inputs}, self.header, content)

    def _refusal(self, record: Any) -> str | None:  # noqa: ANN401 - a structured scalar
        if not self.header.has_identity:
            return EARLIER_VERSION
        if record["fault"] != Fault.NONE:
            return FAULTY
        if missing := next((name for name in self.needed if name not in self.header.scopes), None):
            return NO_SUBGROUP.format(missing)
        return CUT if record["size"] < 0 else None


def _fits(tensor: NDArray[Any] | None, spec: TensorSpec) -> bool:
    """Whether a tensor of one row has the type and the shape of an input, whose rows come first."""
    if tensor is None or tensor.ndim != max(len(spec.shape), 1):
        return False
    typed = tensor.dtype == object if spec.datatype == "BYTES" else tensor.dtype == dtype_of(spec.datatype)
    return typed and all(side in (-1, own) for own, side in zip(tensor.shape[1:], spec.shape[1:], strict=True))


def joined_parts(rows: Sequence[KeptRow]) -> Iterator[Mapping[str, NDArray[Any]]]:
    """The inputs of rows in their order, neighbours of one shape together."""
    start = 0
    for end in range(1, len(rows) + 1):
        if end == len(rows) or rows[end].order[0] != rows[start].order[0]:
            names = rows[start].inputs
            yield {name: np.concatenate([row.inputs[name] for row in rows[start:end]]) for name in names}
            start = end
