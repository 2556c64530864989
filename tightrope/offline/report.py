"""`tightrope report`: a drift report on the rows in the state folder, built in a process of its own."""

import importlib.util
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import numpy as np
import typer

from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Role, Sample, Tensors
from tightrope.service.adapters.archive import archive
from tightrope.service.adapters.archive.report_store import ReportStore, StoredReport
from tightrope.service.adapters.archive.row_format import ColumnLayout, RowTable, pack_rows
from tightrope.service.adapters.archive.row_inputs import RowKeeping
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.service.adapters.prometheus.metric_set import process_registry
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import encode_samples
from tightrope.service.app import REPORTS_FOLDER, ROWS_FOLDER, load_pairs
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.errors import TightropeError
from tightrope.service.inference.decisions import carried_outputs
from tightrope.service.inference.loading.pair_loading import golden_rows
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.row_files.row_file import RowFile, row_count
from tightrope.shadow.drift_statistics import TooFewRowsError, require_rows
from tightrope.shadow.inference import MAX_SHADOW_RUN_ROWS
from tightrope.shadow.page import ReportSubject
from tightrope.shadow.worker import Worker
from tightrope.wiring.embedded import as_watched

TOO_FEW_ROWS_EXIT_CODE = 3
"""Exit code when there are too few rows for any report: too early, not an error."""

REPORT_LIBRARIES = ("evidently", "pandas")


class MissingExtraError(TightropeError):
    """A library that the reports need is not installed."""


def report(config: Path, model: str | None, out: Path | None, *, json_: bool) -> None:
    """Make the reports of all models or of one, and print where each is.

    Raises:
        TightropeError: as `make`, or when ``out`` cannot be written.
        typer.Exit: with code 3, when no model has enough rows.
    """
    settings = load(config)
    if model is not None and model not in settings.models:
        near = did_you_mean(settings.models, model)
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(settings.models)}{near}"])
    models = list(settings.models) if model is None else [model]
    if out is not None and len(models) > 1:
        raise ConfigError(["--out: takes the page of one model; name it with --model"])
    made = 0
    for name in models:
        try:
            stored = make(settings, name)
        except TooFewRowsError as error:
            typer.echo(json.dumps({"model": name, "refused": str(error)}) if json_ else f"{name}: {error}")
            continue
        made += 1
        if out is not None:
            _copy(stored, out)
        result = {"model": name, "page": str(out or stored.page), "figures": stored.figures}
        typer.echo(json.dumps(result) if json_ else f"{name}: {out or stored.page}")
    if not made:
        raise typer.Exit(TOO_FEW_ROWS_EXIT_CODE)


def make(settings: Settings, model: str) -> StoredReport:
    """Build a model's report and store it; reports beyond `reports.keep` are deleted, oldest first.

    Raises:
        MissingExtraError: when the extra `reports` is not installed.
        ConfigError: when no rows are kept.
        TooFewRowsError: when there is too little to compare.
        TightropeError: when the golden rows cannot be used, or the disk is full.
    """
    missing = next((name for name in REPORT_LIBRARIES if importlib.util.find_spec(name) is None), None)
    if missing is not None:
        raise MissingExtraError(f"a drift report needs {missing}: pip install 'tightrope[reports]'")
    window = archive.read_newest(settings.state / ROWS_FOLDER, model, settings.reports.window_rows)
    if not len(window) and not settings.reports.keep_rows:
        raise ConfigError(["reports.keep_rows: is 0, so there are no rows to report about; set it, e.g. to 50000"])
    reference, names, source = _reference(settings, model)
    require_rows(len(reference), len(window))
    try:
        from tightrope.shadow.report import build  # noqa: PLC0415 - slow to import; a serving process must never load it
    except ImportError as error:
        raise MissingExtraError(
            f"a drift report cannot use what is installed ({error}): pip install 'tightrope[reports]'"
        ) from error
    now = time.time()
    page, figures = build(ReportSubject(model, now, source), reference.rename(names), window.rename(names))
    try:
        return ReportStore(settings.state / REPORTS_FOLDER).save(model, page, figures, settings.reports.keep, now)
    except OSError as error:
        raise TightropeError(f"state: the report cannot be written: {error.strerror}") from error


def _copy(stored: StoredReport, out: Path) -> None:
    try:
        out.write_bytes(stored.page.read_bytes())
    except OSError as error:
        raise ConfigError([f"--out: {out}: {error.strerror}"]) from error


def _reference(settings: Settings, model: str) -> tuple[RowTable, Mapping[str, str], str]:
    """Return the rows to compare with, better names for their columns, and a description of their source."""
    file = settings.models[model].golden
    if file is None:
        rows = archive.read_reference(settings.state / ROWS_FOLDER, model, settings.reports.reference_rows)
        return rows, {}, "the first that were compared"
    pair = load_pairs(settings.model_copy(update={"models": {model: settings.models[model]}}), enforced=False)[model]
    golden = golden_rows(pair, settings)
    assert golden is not None  # noqa: S101 - the settings name it
    flat = [f"{spec.name}_{i}" for spec in pair.inputs for i in range(int(np.prod(spec.shape[1:])))]
    names = dict(zip(flat, golden.columns, strict=True)) if len(set(golden.columns)) == len(flat) else {}
    return compare_golden(pair, golden), names, f"the golden rows of {file.name}"


class _MemoryArchive:
    """Implements `ports.Archive` in memory."""

    def __init__(self) -> None:
        self.batches: list[ComparedBatch] = []

    def append(self, batch: ComparedBatch) -> None:
        """Keep a batch."""
        self.batches.append(batch)


def compare_golden(pair: ModelPair, golden: RowFile) -> RowTable:
    """Return the golden rows with the outputs of both models, computed by the shadow's own `Worker`.

    Raises:
        RunFailedError: when the baseline cannot run on them.
    """
    bus, archived, watched = MemoryBus(), _MemoryArchive(), as_watched(pair)
    worker = Worker(bus, {pair.name: watched}, Metrics(process_registry()), Event(), archived)
    size = MAX_SHADOW_RUN_ROWS if watched.free else max(s.shape[0] for s in pair.inputs)
    for sample in _samples(pair, golden, size):
        bus.publish(topic(SAMPLES), encode_samples(SampleBatch.from_samples([sample])))
        worker.step(0.0)
    layout = ColumnLayout.from_specs(pair.inputs)
    keeping = RowKeeping(0, lambda _: "", pair.sampler)
    packed = [pack_rows(layout, batch, keeping) for batch in archived.batches]
    return RowTable.concatenate([RowTable.from_records(each.header, each.records) for each in packed])


def _samples(pair: ModelPair, golden: RowFile, size: int) -> Iterator[Sample]:
    """Yield the golden rows as samples of requests of up to ``size`` rows that the baseline served."""
    member, start = golden.members(pair.subgroups), 0
    for inputs in _requests(golden, size):
        end = start + row_count(inputs)
        yield Sample(
            model=pair.name,
            request_id=f"golden-{start}",
            time=0.0,
            served_by=Role.BASELINE,
            baseline_digest=pair.plan.baseline_digest,
            compressed_digest=pair.plan.compressed_digest,
            inputs=inputs,
            outputs=carried_outputs(pair, Role.BASELINE, inputs, pair.models[Role.BASELINE].run(inputs, pair.deciding)),
            scopes=pair.subgroups.scopes,
            member=member[start:end],
            draw=0.0,
            inclusion=1.0,
            seconds=float("nan"),
        )
        start = end


def _requests(golden: RowFile, size: int) -> Iterator[Tensors]:
    """Yield the inputs of up to ``size`` rows of equal shapes."""
    for part in golden.parts:
        for start in range(0, row_count(part), size):
            yield {name: np.asarray(tensor[start : start + size]) for name, tensor in part.items()}
