"""Labels of kept rows, which come later than their rows: each is written into the record of its row.

How it works. An index from the keyed digest of a request and the number of a row leads to the row's file. It is made of
the files when the first label comes, so that models without labels pay nothing for it. The first label of a row counts.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tightrope.service.adapters.archive.row_format import MAX_HEADER_BYTES, FileHeader, Records
from tightrope.service.adapters.archive.row_inputs import NO_LABEL
from tightrope.service.adapters.archive.segments import segment_files

RowIdentity: TypeAlias = tuple[bytes, int]
"""The keyed digest of a request id, and the number of a row in its request."""

RecordLocation: TypeAlias = tuple[Path, int]
"""A file of kept rows, and the number of a record there."""

MAX_EARLY_LABELS = 10_000
"""Labels that wait for a row which the disk does not have yet; of more the oldest are left out."""

LABEL_BYTES = struct.Struct("<qd")
"""A label and its probability, which are neighbours in a record."""


@dataclass(frozen=True, slots=True)
class KeptLabel:
    """The true class of a kept row, and the probability with which it was drawn for a label; 0 without one."""

    identity: RowIdentity
    label: int
    probability: float


@dataclass(slots=True)
class RowLabels:
    """Writes the labels of one model into its ``folders``; ``most`` bounds the rows that the index holds."""

    folders: Sequence[Path]
    most: int
    _index: dict[RowIdentity, RecordLocation] | None = None
    _early: dict[RowIdentity, KeptLabel] = field(default_factory=dict)

    def add_rows(self, locations: Sequence[RecordLocation], records: Records) -> None:
        """Note rows that were written, and write the labels that came before them.

        Raises:
            OSError: when a label cannot be written.
        """
        if self._index is None:
            return
        new = dict(zip(_identities(records), locations, strict=True))
        self._index |= new
        if len(self._index) > self.most:
            self._forget_deleted()
        self.write([self._early.pop(identity) for identity in new if identity in self._early])

    def write(self, labels: Iterable[KeptLabel]) -> None:
        """Write labels into the records of their rows; those without a row wait for it.

        Raises:
            OSError: when the disk refuses.
        """
        if self._index is None:
            self._index = self._read_index()
        for label in labels:
            location = self._index.pop(label.identity, None)  # the first label counts
            if location is None:
                self._early[label.identity] = label
            else:
                _write_label(location, label)
        for identity in list(islice(self._early, max(len(self._early) - MAX_EARLY_LABELS, 0))):
            del self._early[identity]

    def _read_index(self) -> dict[RowIdentity, RecordLocation]:
        """The rows on disk that have no label."""
        index: dict[RowIdentity, RecordLocation] = {}
        for path in (path for folder in self.folders for path in segment_files(folder)):
            if (found := read_records(path)) is not None and found[0].has_identity:
                unlabelled = np.flatnonzero((found[2]["label"] == NO_LABEL) & (found[2]["time"] != 0))
                rows = zip(_identities(found[2][unlabelled]), unlabelled.tolist(), strict=True)
                index |= {identity: (path, number) for identity, number in rows}
        return index

    def _forget_deleted(self) -> None:
        left = {path for folder in self.folders for path in segment_files(folder)}
        self._index = {identity: location for identity, location in (self._index or {}).items() if location[0] in left}


def read_records(path: Path) -> tuple[FileHeader, int, Records] | None:
    """The header of a file, the bytes of its first line, and all complete records, erased ones too; None where it
    cannot be read.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(MAX_HEADER_BYTES)
            header, data = FileHeader.read(line), file.read()
    except (OSError, ValueError, TypeError):
        return None
    return header, len(line), np.frombuffer(data[: len(data) // (size := header.dtype.itemsize) * size], header.dtype)


def _identities(records: Records) -> list[RowIdentity]:
    return list(zip(records["request"].tolist(), records["row"].tolist(), strict=True))


def _write_label(location: RecordLocation, label: KeptLabel) -> None:
    path, number = location
    try:
        file = path.open("r+b")
    except FileNotFoundError:  # the row expired
        return
    with file:
        line = file.readline(MAX_HEADER_BYTES)
        dtype = FileHeader.read(line).dtype
        fields = dtype.fields
        assert fields is not None  # noqa: S101 - a record has fields
        file.seek(len(line) + number * dtype.itemsize + fields["label"][1])
        file.write(LABEL_BYTES.pack(label.label, label.probability))
