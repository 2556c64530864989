"""Traffic of a small pair that a gateway kept: rows on disk as `reports.keep_rows` leaves them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from tests.support.judgement.comparisons import make_comparisons
from tightrope.monitors.intake.sampling import Sampler
from tightrope.monitors.label_records import Label
from tightrope.monitors.records import Tensors
from tightrope.service.adapters.archive.archive import DiskArchive
from tightrope.service.adapters.archive.row_format import ColumnLayout
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import ROWS_FOLDER
from tightrope.service.config.loader import Settings
from tightrope.service.protocol.tensors import TensorSpec

FIRST_TIME = 1_700_000_000.0
"""The time of the first row, in seconds since the epoch; one a second follows."""


def keep_traffic(
    settings: Settings,
    inputs: Tensors,
    *,
    sampler: Sampler | None = None,
    scopes: tuple[str, ...] = (),
    labels: Sequence[Label] = (),
    row_bytes: int = 1000,
    reference: int = 0,
    **columns: Any,  # noqa: ANN401 - any column of comparisons
) -> None:
    """Write rows of the model ``m``, whose request ids are ``0-NUMBER``, then their labels."""
    rows = len(next(iter(inputs.values())))
    times = FIRST_TIME + np.arange(rows)
    made = make_comparisons(rows, scopes=scopes, **{"time": times, "member": np.zeros((rows, len(scopes))), **columns})
    specs = [TensorSpec(name, "FP32", (-1, *tensor.shape[1:])) for name, tensor in inputs.items()]
    keeping = RowKeeping(row_bytes, lambda name: f"{name:0>32}", sampler or Sampler(1.0))
    archive = DiskArchive(
        settings.state / ROWS_FOLDER,
        {"m": ColumnLayout.from_specs(specs)},
        {"m": keeping},
        keep=1_000_000,
        reference={"m": reference},
        metrics=Metrics(CollectorRegistry()),
    )
    archive.start()
    archive.append(ComparedBatch(made, [inputs], {}))
    archive.keep_labels(labels)
    archive.stop(30.0)


def kept_files(settings: Settings, suffix: str) -> Mapping[str, Path]:
    """The files of the model's kept rows, by name."""
    return {path.name: path for path in (settings.state / ROWS_FOLDER / "m").glob(f"*{suffix}")}
