"""Compared rows and an archive of them on disk: for tests of drift reports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.free_space import FreeSpace
from tightrope.service.adapters.archive.row_format import (
    ColumnLayout,
    FileHeader,
    Records,
    RowTable,
    pack_rows,
)
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.audit.seals import AuditKeys
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.protocol.tensors import TensorSpec

NUMBERS = TensorSpec("x", "FP32", (-1, 3))
TEXTS = TensorSpec("word", "BYTES", (-1, 1))
SPECS = (NUMBERS, TEXTS)
KEYS = AuditKeys(bytes(32))
KEEPING = RowKeeping(1000, KEYS.request_digest, Sampler(1.0))
"""Keeps rows of up to 1,000 bytes whole."""


def compared_batch(first: int, rows: int, **changes: Any) -> ComparedBatch:  # noqa: ANN401 - any column of comparisons
    """Build ``rows`` rows numbered from ``first``: the number is the input ``x_0``, and the event time minus one."""
    numbers = first + np.arange(rows)
    x = np.stack([numbers, numbers % 7, numbers % 2], axis=1).astype(np.float32)
    words = np.array([[f"word {number % 3}"] for number in numbers], dtype=object)
    decisions = {Role.BASELINE: numbers % 2.0, Role.COMPRESSED: numbers % 3.0}
    made = make_comparisons(rows, time=1.0 + numbers, **changes)
    return ComparedBatch(made, [{"x": x[i : i + 1], "word": words[i : i + 1]} for i in range(rows)], decisions)


def packed_rows(layout: ColumnLayout, batch: ComparedBatch) -> tuple[FileHeader, Records]:
    """The header and the records of a batch, without its whole inputs."""
    packed = pack_rows(layout, batch, KEEPING)
    return packed.header, packed.records


class ArchiveFolder:
    """An archive on disk of one model ``m`` with its own metrics; a second one continues from the same folder."""

    def __init__(
        self,
        folder: Path,
        *,
        keep: int = 1000,
        reference: int = 0,
        space: FreeSpace | None = None,
        keeping: RowKeeping = KEEPING,
    ) -> None:
        self.metrics = Metrics(CollectorRegistry())
        layouts, first = {"m": ColumnLayout.from_specs(SPECS)}, {"m": reference}
        self.archive = DiskArchive(
            folder, layouts, {"m": keeping}, keep=keep, reference=first, metrics=self.metrics, space=space
        )

    def put(self, *batches: ComparedBatch) -> None:
        """Append the batches, and wait until they are written."""
        self.archive.start()
        for batch in batches:
            self.archive.append(batch)
        self.archive.stop(30.0)

    def kept(self) -> int:
        """Read the counter of archived rows."""
        return self.metrics.total("archived_rows", model="m")

    def skipped(self, reason: str) -> int:
        """Read the counter of rows that were skipped for this reason."""
        return self.metrics.total("archive_skipped_rows", model="m", reason=reason)


def table(
    inputs: Mapping[str, npt.NDArray[Any]],
    *,
    member: Mapping[str, npt.ArrayLike] | None = None,
    **outcomes: npt.ArrayLike,
) -> RowTable:
    """Build a table of these input columns; ``outcomes`` has the outcomes that are not 0, as rows or constants."""
    rows = len(next(iter(inputs.values())))
    batch = ComparedBatch(make_comparisons(rows, scopes=()), [], {})
    packed = pack_rows(ColumnLayout.from_specs(()), batch, KEEPING)
    whole = RowTable.from_records(packed.header, packed.records)
    filled = {name: np.broadcast_to(np.asarray(value, float), rows).copy() for name, value in outcomes.items()}
    groups = {name: np.asarray(value, bool) for name, value in (member or {}).items()}
    return RowTable(dict(inputs), {**whole.outcomes, **filled}, groups, ("b1", "c1"))
