"""Metrics of several processes behind one port: a scrape of any process shows the metrics of all.

How it works. The processes share a folder. Each has a `SharedRegistry` and a file in the folder, which it rewrites
every second and before every scrape: counters and histograms, and apart from them gauges (`_Snapshot`). A scrape
collects the process's own metrics, reads the files of the others, and aggregates samples of equal name and labels:
counters and histograms add up, gauges follow `GAUGE_AGGREGATIONS`.

When a process ends, the supervisor calls `merge_ended`: it adds the process's counters to the file of the ended, which
also lists whose counters it contains, and deletes the process's file; its gauges end with it. A scrape in between finds
the process in both files and counts it once, by that list. So no counter ever decreases, and of a killed process at
most the last second is lost. Files are replaced by rename, so a reader sees an old or a new one, never a partial one.
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

WRITE_INTERVAL_SECONDS = 1.0
"""Seconds between two writes: the greatest age of the other processes' metrics."""

ENDED_FILE, LIVE_PATTERN = "gone", "*.json"
"""The files of the folder: one of all ended processes, and one of each live process."""

Aggregation = Callable[[Iterable[float]], float]

GAUGE_AGGREGATIONS: Mapping[str, Aggregation] = {
    "tightrope_safe_mode_active": max,
    "tightrope_asked_classes": max,
    "tightrope_safe_mode_ordered": max,
    "tightrope_scope_state": max,
    "tightrope_control_age_seconds": max,
    "tightrope_blind": max,
    "tightrope_scope_blind": max,
    "tightrope_starved": max,
    "tightrope_lost": max,
    "tightrope_topic_mismatch": max,
    "tightrope_permission_missing": max,
    "tightrope_judge_missing": max,
    "tightrope_judge_age_seconds": max,
    "tightrope_endpoint_up": min,
    "tightrope_model_hanging": max,
    "tightrope_kept_apart": max,
    "tightrope_fallback_share": min,
    "tightrope_model_info": max,
    "tightrope_qualification_info": max,
    "tightrope_qualification_expiry_timestamp_seconds": min,
    "tightrope_requalification_changed": max,
    "tightrope_requalification_failed": max,
    "tightrope_requalification_timestamp_seconds": max,
    "tightrope_numerics_distance": max,
    "tightrope_numerics_bound": min,
    "tightrope_bus_waiting_records": sum,
    "tightrope_lag_records": sum,
    "process_virtual_memory_bytes": sum,
    "process_resident_memory_bytes": sum,
    "process_open_fds": sum,
    "process_max_fds": min,
    "process_start_time_seconds": max,
    "python_info": max,
}
"""How gauges of several processes combine: the sum of their load, otherwise the worst value. The start time is the
latest, so that it changes when a process is replaced.
"""

Families = dict[str, list[Sample]]


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The metrics of one process, or of all ended ones; ``ended`` names their files. Counters and histograms are apart
    from gauges.
    """

    counted: Families = field(default_factory=dict)
    gauges: Families = field(default_factory=dict)
    ended: tuple[str, ...] = ()


class SharedRegistry(CollectorRegistry):
    """A registry that adds the metrics of the other processes with a file beside ``file``."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="siblings", daemon=True)

    def start(self) -> None:
        """Start to rewrite the file every `WRITE_INTERVAL_SECONDS`."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop the thread, and write the final values."""
        self._stopping.set()
        self._thread.join(timeout)
        self._write_own()

    def collect(self) -> Iterator[Metric]:
        """The metrics of all processes."""
        own = self._write_own()
        live, ended = _other_snapshots(self._file)
        for family in own:
            is_gauge = family.type == "gauge"
            others = [each.gauges if is_gauge else each.counted for each in (*live, ended)]
            combine = GAUGE_AGGREGATIONS.get(family.name, max) if is_gauge else sum
            samples = [*family.samples, *(sample for other in others for sample in other.get(family.name, ()))]
            family.samples = _aggregate(samples, combine)
            yield family

    def _run(self) -> None:
        while not self._stopping.wait(WRITE_INTERVAL_SECONDS):
            self._write_own()

    def _write_own(self) -> list[Metric]:
        """This process's metrics, written to the file before they are shown."""
        with self._writing:
            own = list(super().collect())
            try:
                _write(self._file, _Snapshot(_families(own, gauges=False), _families(own, gauges=True)))
            except OSError as error:
                log.warning("%s cannot be written, so the metrics of one port differ: %s", self._file, error)
        return own


def merge_ended(file: Path) -> None:
    """Add the counters of an ended process to those of the ended. Only one process may do so at a time."""
    if (last := _read(file)) is not None:
        ended = file.with_name(ENDED_FILE)
        before = _read(ended) or _Snapshot()
        counted = {
            name: _aggregate([*before.counted.get(name, ()), *samples], sum) for name, samples in last.counted.items()
        }
        _write(ended, _Snapshot(before.counted | counted, {}, (*before.ended, file.name)))
    for leftover in (file, _draft(file)):
        leftover.unlink(missing_ok=True)


def _other_snapshots(own: Path) -> tuple[list[_Snapshot], _Snapshot]:
    """The live processes, then the ended: one that ends in between is found in both, and taken from the latter."""
    live = {file.name: _read(file) for file in own.parent.glob(LIVE_PATTERN) if file != own}
    ended = _read(own.with_name(ENDED_FILE)) or _Snapshot()
    return [each for name, each in live.items() if each and name not in ended.ended], ended


def _aggregate(samples: Iterable[Sample], combine: Aggregation) -> list[Sample]:
    """One sample for each name and label values, with the newest exemplar."""
    series: dict[tuple[str, tuple[tuple[str, str], ...]], list[Sample]] = {}
    for sample in samples:
        series.setdefault((sample.name, tuple(sorted(sample.labels.items()))), []).append(sample)
    return [
        same[0]._replace(
            value=combine(sample.value for sample in same),
            exemplar=max((s.exemplar for s in same if s.exemplar), key=lambda e: e.timestamp or 0.0, default=None),
        )
        for same in series.values()
    ]


def _families(metrics: Iterable[Metric], *, gauges: bool) -> Families:
    return {family.name: family.samples for family in metrics if (family.type == "gauge") is gauges}


def _draft(file: Path) -> Path:
    return file.with_name(f"{file.name}.draft")


def _write(file: Path, content: _Snapshot) -> None:
    """Replace the file as a whole."""
    document = {"gone": content.ended, "counted": _to_json(content.counted), "gauges": _to_json(content.gauges)}
    _draft(file).write_text(json.dumps(document))
    _draft(file).replace(file)


def _read(file: Path) -> _Snapshot | None:
    """The content of a file; None if it does not exist, or not any more."""
    try:
        document = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return _Snapshot(_from_json(document["counted"]), _from_json(document["gauges"]), tuple(document["gone"]))


def _to_json(families: Families) -> dict[str, list[Any]]:
    return {name: [[s.name, s.labels, s.value, s.exemplar] for s in samples] for name, samples in families.items()}


def _from_json(families: dict[str, list[Any]]) -> Families:
    return {
        name: [
            Sample(sample, labels, value, None, exemplar and Exemplar(*exemplar))
            for sample, labels, value, exemplar in samples
        ]
        for name, samples in families.items()
    }
