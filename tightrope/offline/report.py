"""`tightrope report`: a drift report of what the state folder holds, made in a process of its own."""

import importlib.util
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event

import numpy as np
import typer

from tightrope.monitors.records import Role, Sample, Tensors
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.archive import archive
from tightrope.service.adapters.archive.report_store import Report, ReportStore
from tightrope.service.adapters.archive.row_format import Layout, Table, pack
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import Compared
from tightrope.service.adapters.prometheus.metrics import Metrics, process_registry
from tightrope.service.adapters.topics import SAMPLES, topic
from tightrope.service.adapters.wire.record_codec import encode_samples
from tightrope.service.app import REPORTS, ROWS, golden_rows, load_pairs
from tightrope.service.config.loader import ConfigError, Settings, load
from tightrope.service.errors import TightropeError
from tightrope.service.inference.golden import Golden
from tightrope.service.inference.model_pair import Pair
from tightrope.shadow.drift_statistics import TooFewRowsError, insist_on_rows
from tightrope.shadow.inference import MOST_ROWS
from tightrope.shadow.page import Subject
from tightrope.shadow.worker import Worker
from tightrope.wiring.embedded import as_watched

REFUSED = 3
"""The exit code when there are too few rows: nothing is wrong, it is too early."""

EXTRA = ("evidently", "pandas")


class MissingExtraError(TightropeError):
    """What draws the reports is not installed."""


def report(config: Path, model: str | None, out: Path | None, *, json_: bool) -> None:
    """Make the reports of all models, or of this one, and tell of each."""
    settings = load(config)
    if model is not None and model not in settings.models:
        raise ConfigError([f"--model: is {model!r}; it must be one of {', '.join(settings.models)}"])
    models = list(settings.models) if model is None else [model]
    if out is not None and len(models) > 1:
        raise ConfigError(["--out: takes the page of one model; name it with --model"])
    made = 0
    for name in models:
        try:
            done = make(settings, name)
        except TooFewRowsError as error:
            typer.echo(json.dumps({"model": name, "refused": str(error)}) if json_ else f"{name}: {error}")
            continue
        made += 1
        if out is not None:
            _copy(done, out)
        told = {"model": name, "page": str(out or done.page), "figures": done.figures}
        typer.echo(json.dumps(told) if json_ else f"{name}: {out or done.page}")
    if not made:
        raise typer.Exit(REFUSED)


def make(settings: Settings, model: str) -> Report:
    """Make a model's report and store it; the oldest beyond `reports.keep` go.

    Raises:
        MissingExtraError: when the extra `reports` is not installed.
        ConfigError: when no rows are kept.
        TooFewRowsError: when there is too little to compare.
        TightropeError: when the golden rows cannot be used, or the disk is full.
    """
    missing = next((name for name in EXTRA if importlib.util.find_spec(name) is None), None)
    if missing is not None:
        raise MissingExtraError(f"a drift report needs {missing}: pip install 'tightrope[reports]'")
    window = archive.newest(settings.state / ROWS, model, settings.reports.window_rows)
    if not len(window) and not settings.reports.keep_rows:
        raise ConfigError(["reports.keep_rows: is 0, so there are no rows to report about; set it, e.g. to 50000"])
    reference, names, source = _reference(settings, model)
    insist_on_rows(len(reference), len(window))
    try:
        from tightrope.shadow.report import build  # noqa: PLC0415 - takes seconds, and whoever serves must never load it
    except ImportError as error:
        raise MissingExtraError(
            f"a drift report cannot use what is installed ({error}): pip install 'tightrope[reports]'"
        ) from error
    now = time.time()
    page, figures = build(Subject(model, now, source), reference.rename(names), window.rename(names))
    try:
        return ReportStore(settings.state / REPORTS).save(model, page, figures, settings.reports.keep, now)
    except OSError as error:
        raise TightropeError(f"state: the report cannot be written: {error.strerror}") from error


def _copy(done: Report, out: Path) -> None:
    try:
        out.write_bytes(done.page.read_bytes())
    except OSError as error:
        raise ConfigError([f"--out: {out}: {error.strerror}"]) from error


def _reference(settings: Settings, model: str) -> tuple[Table, Mapping[str, str], str]:
    """What the newest rows are compared with, better names for its columns, and in words where it is from."""
    file = settings.models[model].golden
    if file is None:
        kept = archive.reference(settings.state / ROWS, model, settings.reports.reference_rows)
        return kept, {}, "the first that were compared"
    pair = load_pairs(settings.model_copy(update={"models": {model: settings.models[model]}}))[model]
    golden = golden_rows(pair, settings)
    assert golden is not None  # noqa: S101 - the settings name it
    flat = [f"{spec.name}_{i}" for spec in pair.inputs for i in range(int(np.prod(spec.shape[1:])))]
    names = dict(zip(flat, golden.columns, strict=True)) if len(set(golden.columns)) == len(flat) else {}
    return answered(pair, golden), names, f"the golden rows of {file.name}"


class _Kept:
    """Implements `ports.Archive` in memory."""

    def __init__(self) -> None:
        self.batches: list[Compared] = []

    def append(self, batch: Compared) -> None:
        """Keep it as it is."""
        self.batches.append(batch)


def answered(pair: Pair, golden: Golden) -> Table:
    """Golden rows with what both models say of them, by the very worker that compares traffic.

    Raises:
        RunFailedError: when the baseline cannot run on them.
    """
    bus, kept, watched = MemoryBus(), _Kept(), as_watched(pair)
    worker = Worker(bus, {pair.name: watched}, Metrics(process_registry()), Event(), kept)
    for sample in _samples(pair, golden, MOST_ROWS if watched.free else max(s.shape[0] for s in pair.inputs)):
        bus.publish(topic(SAMPLES), encode_samples(Samples.of([sample])))
        worker.step(0.0)
    layout = Layout.of(pair.inputs)
    return Table.join([Table.of(*pack(layout, batch)) for batch in kept.batches])


def _samples(pair: Pair, golden: Golden, size: int) -> Iterator[Sample]:
    """The golden rows as if the baseline had been asked ``size`` of them at a time."""
    for start in range(0, len(golden.member), size):
        rows = slice(start, start + size)
        inputs: Tensors = {name: tensor[rows] for name, tensor in golden.inputs.items()}
        yield Sample(
            model=pair.name,
            request_id=f"golden-{start}",
            time=0.0,
            served_by=Role.BASELINE,
            baseline_digest=pair.plan.baseline_digest,
            compressed_digest=pair.plan.compressed_digest,
            inputs=inputs,
            outputs=pair.models[Role.BASELINE].run(inputs, [pair.output]),
            scopes=pair.subgroups.scopes,
            member=golden.member[rows],
            draw=0.0,
            inclusion=1.0,
            seconds=float("nan"),
        )
