"""Compared rows made to order, and an archive of them on disk: for tests of what the drift reports are made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import comparisons
from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import Layout, Table, pack
from tightrope.service.adapters.ports import Compared
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.protocol.tensors import TensorSpec

NUMBERS = TensorSpec("x", "FP32", (-1, 3))
TEXTS = TensorSpec("word", "BYTES", (-1, 1))
SPECS = (NUMBERS, TEXTS)


def compared(first: int, rows: int, **changes: Any) -> Compared:  # noqa: ANN401 - any column of comparisons
    """``rows`` rows numbered from ``first`` on: the number is input ``x_0``, and event time less one."""
    numbers = first + np.arange(rows)
    x = np.stack([numbers, numbers % 7, numbers % 2], axis=1).astype(np.float32)
    words = np.array([[f"word {number % 3}"] for number in numbers], dtype=object)
    decided = {Role.BASELINE: numbers % 2.0, Role.COMPRESSED: numbers % 3.0}
    made = comparisons(rows, time=1.0 + numbers, **changes)
    return Compared(made, [{"x": x[i : i + 1], "word": words[i : i + 1]} for i in range(rows)], decided)


class Shelf:
    """An archive on disk of one model ``m``, with its own metrics; a new one goes on where an earlier one stopped."""

    def __init__(self, folder: Path, *, keep: int = 1000, reference: int = 0) -> None:
        self.metrics = Metrics(CollectorRegistry())
        layouts = {"m": Layout.of(SPECS)}
        self.archive = DiskArchive(folder, layouts, keep=keep, reference={"m": reference}, metrics=self.metrics)

    def put(self, *batches: Compared) -> None:
        """Append all of them, and wait until they are written."""
        self.archive.start()
        for batch in batches:
            self.archive.append(batch)
        self.archive.stop(30.0)

    def kept(self) -> int:
        """How many rows the counter has seen."""
        return self.metrics.total("archived_rows", model="m")

    def skipped(self, reason: str) -> int:
        """How many were not kept for this reason."""
        return self.metrics.total("archive_skipped_rows", model="m", reason=reason)


def table(
    inputs: Mapping[str, npt.NDArray[Any]],
    *,
    member: Mapping[str, npt.ArrayLike] | None = None,
    **outcomes: npt.ArrayLike,
) -> Table:
    """A table of these input columns; ``outcomes`` says what is not 0, row by row or for all."""
    rows = len(next(iter(inputs.values())))
    header, records = pack(Layout.of(()), Compared(comparisons(rows, scopes=()), [], {}))
    whole = Table.of(header, records)
    filled = {name: np.broadcast_to(np.asarray(value, float), rows).copy() for name, value in outcomes.items()}
    groups = {name: np.asarray(value, bool) for name, value in (member or {}).items()}
    return Table(dict(inputs), {**whole.outcomes, **filled}, groups, ("b1", "c1"))
