"""Erases the kept rows of a request: their records and the bytes of their inputs become zeros, where they are."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from tightrope.service.adapters.archive.row_labels import read_records
from tightrope.service.adapters.archive.segments import INPUTS_SUFFIX, ROWS_SUFFIX


def erase_kept_rows(folder: Path, digest: str) -> Counter[str]:
    """Erase all rows whose request id has this keyed digest, of every model; returns their number by model.

    Rows that the first version kept have no digest: `files_without_identity` names their files.

    Raises:
        OSError: when a file cannot be written.
    """
    gone: Counter[str] = Counter()
    for path in sorted(folder.rglob(f"*{ROWS_SUFFIX}")):
        gone[path.relative_to(folder).parts[0]] += _erase(path, digest.encode())
    return +gone


def files_without_identity(folder: Path) -> list[Path]:
    """The files of kept rows in which no row can be found by its request id."""
    read = ((path, read_records(path)) for path in sorted(folder.rglob(f"*{ROWS_SUFFIX}")))
    return [path for path, found in read if found is None or not found[0].has_identity]


def _erase(path: Path, digest: bytes) -> int:
    found = read_records(path)
    if found is None or not found[0].has_identity:
        return 0
    header, begin, records = found
    own = np.flatnonzero(records["request"] == digest).tolist()
    inputs = path.with_suffix(INPUTS_SUFFIX)
    if own and inputs.exists():
        _write_zeros(inputs, [(int(records["begin"][row]), max(int(records["size"][row]), 0)) for row in own])
    size = header.dtype.itemsize
    _write_zeros(path, [(begin + row * size, size) for row in own])
    return len(own)


def _write_zeros(path: Path, spans: list[tuple[int, int]]) -> None:
    if not spans:
        return
    with path.open("r+b") as file:
        for begin, size in spans:
            file.seek(begin)
            file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())
