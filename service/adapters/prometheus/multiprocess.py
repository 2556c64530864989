"""Several processes behind one port: whichever of them is asked for its metrics shows those of all.

Each keeps what it has counted in a file of its own, in a folder that they share: written every second, and before any
of it is shown. When one has ended, whoever looks after them adds its counters to those of the gone: so no sum ever
falls. Its gauges end with it.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Exemplar, Sample

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two writings: so old is at most what is shown of the others, and lost where one is killed."""

GONE, LIVING = "gone", "*.json"
"""The files of a folder: of all that have ended, and of those that have not."""

Fold = Callable[[Iterable[float]], float]

FOLDS: Mapping[str, Fold] = {
    "tightrope_safe_mode_active": max,
    "tightrope_scope_state": max,
    "tightrope_control_age_seconds": max,
    "tightrope_endpoint_up": min,
    "tightrope_fallback_share": min,
    "tightrope_bus_waiting_records": sum,
    "tightrope_lag_records": sum,
    "process_virtual_memory_bytes": sum,
    "process_resident_memory_bytes": sum,
    "process_open_fds": sum,
    "process_max_fds": min,
    "process_start_time_seconds": max,
    "python_info": max,
}
"""What a gauge of several is: their load together, or else whatever is worst. The start moves when one is replaced."""

Families = dict[str, list[Sample]]


@dataclass(frozen=True, slots=True)
class _File:
    """Of one process, or of the ``gone``, by their names: counters and histograms, and apart from them gauges."""

    counted: Families = field(default_factory=dict)
    gauges: Families = field(default_factory=dict)
    gone: tuple[str, ...] = ()


class SharedRegistry(CollectorRegistry):
    """A registry that gives, with its own metrics, those of the others that keep a file beside ``file``."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="siblings", daemon=True)

    def start(self) -> None:
        """Keep the file up to date."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Leave the last word."""
        self._stopping.set()
        self._thread.join(timeout)
        self._written()

    def collect(self) -> Iterator[Metric]:
        """Of all."""
        own = self._written()
        living, gone = _others(self._file)
        for family in own:
            others = [each.gauges if family.type == "gauge" else each.counted for each in (*living, gone)]
            fold = FOLDS.get(family.name, max) if family.type == "gauge" else sum
            samples = [*family.samples, *(sample for other in others for sample in other.get(family.name, ()))]
            family.samples = _folded(samples, fold)
            yield family

    def _run(self) -> None:
        while not self._stopping.wait(EVERY):
            self._written()

    def _written(self) -> list[Metric]:
        """Its own, which stand in the file before anybody sees them."""
        with self._writing:
            own = list(super().collect())
            try:
                _write(self._file, _File(_of(own, gauges=False), _of(own, gauges=True)))
            except OSError as error:
                log.warning("%s cannot be written, so the metrics of one port differ: %s", self._file, error)
        return own


def bury(file: Path) -> None:
    """A process has ended: add what it counted to the gone. Nobody else may do so at the same time."""
    if (last := _read(file)) is not None:
        gone = file.with_name(GONE)
        before = _read(gone) or _File()
        counted = {name: _folded([*before.counted.get(name, ()), *mine], sum) for name, mine in last.counted.items()}
        _write(gone, _File(before.counted | counted, {}, (*before.gone, file.name)))
    for left in (file, _draft(file)):
        left.unlink(missing_ok=True)


def _others(own: Path) -> tuple[list[_File], _File]:
    """The living, then the gone: one that ends meanwhile is found in either, and taken from one of them."""
    living = {file.name: _read(file) for file in own.parent.glob(LIVING) if file != own}
    gone = _read(own.with_name(GONE)) or _File()
    return [each for name, each in living.items() if each and name not in gone.gone], gone


def _folded(samples: Iterable[Sample], fold: Fold) -> list[Sample]:
    """Those of the same name and labels as one, with the newest exemplar."""
    by: dict[tuple[str, tuple[tuple[str, str], ...]], list[Sample]] = {}
    for sample in samples:
        by.setdefault((sample.name, tuple(sorted(sample.labels.items()))), []).append(sample)
    return [
        same[0]._replace(
            value=fold(sample.value for sample in same),
            exemplar=max((s.exemplar for s in same if s.exemplar), key=lambda e: e.timestamp or 0.0, default=None),
        )
        for same in by.values()
    ]


def _of(families: Iterable[Metric], *, gauges: bool) -> Families:
    return {family.name: family.samples for family in families if (family.type == "gauge") is gauges}


def _draft(file: Path) -> Path:
    return file.with_name(f"{file.name}.draft")


def _write(file: Path, content: _File) -> None:
    """Whole or not at all."""
    told = {"gone": content.gone, "counted": _plain(content.counted), "gauges": _plain(content.gauges)}
    _draft(file).write_text(json.dumps(told))
    _draft(file).replace(file)


def _read(file: Path) -> _File | None:
    """Nothing where there is none, or none any more."""
    try:
        told = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return _File(_samples(told["counted"]), _samples(told["gauges"]), tuple(told["gone"]))


def _plain(families: Families) -> dict[str, list[Any]]:
    return {name: [[s.name, s.labels, s.value, s.exemplar] for s in samples] for name, samples in families.items()}


def _samples(plain: dict[str, list[Any]]) -> Families:
    return {
        name: [Sample(of, labels, value, None, shown and Exemplar(*shown)) for of, labels, value, shown in samples]
        for name, samples in plain.items()
    }
