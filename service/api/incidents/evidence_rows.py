"""The rows of an incident that carried most evidence for its alarm, and some ordinary ones, as CSV.

The alarm is the first breach. A row carries as much as its value under the monitor of that alarm lies on the side to
which the mean of all of them lies: of a rate the rows that count, of a mean those furthest out. Rows that the record
has left out are not here, and the columns are those that the redaction has kept.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.budget import MonitorSpec
from tightrope.monitors.folding.inputs import ComparedRows
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import MODEL_SCOPE, Bools, Comparisons, Fault, Floats, Role
from tightrope.monitors.safemode import Input
from tightrope.service.adapters.journal.entries import RecordedInput
from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.adapters.journal.record import (
    BEFORE_ALL,
    JudgementRecord,
    is_covered,
    last_position,
    segments_of,
)
from tightrope.service.api.incidents.words import utc_time

MOST_EVIDENCE_ROWS, MOST_ORDINARY_ROWS = 50, 10
"""Rows of each kind in the file."""

EVIDENCE_KIND, ORDINARY_KIND = "evidence", "ordinary"
"""The kinds of rows in the file."""

EVIDENCE_COLUMNS = (
    "kind", "time", "request", "groups", "monitor", "value", "differs", "answered_by", "baseline_class",
    "compressed_class", "baseline_confidence", "compressed_confidence",
)  # fmt: skip
"""The columns of each row. ``value`` is that of the monitor; a class is -1 where the model has none."""


@dataclass(frozen=True, slots=True)
class ChosenRows:
    """The rows before an alarm with their ``values`` (n,) under its ``monitor``, and which of them to show, in order:
    those that carried ``evidence``, and ``ordinary`` ones.
    """

    rows: Comparisons
    monitor: str
    values: Floats
    evidence: Sequence[int]
    ordinary: Sequence[int]


def rows_csv(record: JudgementRecord) -> str:
    """The rows as CSV; without an alarm, or rows before it, only the header."""
    plans = record.decoded_plans()
    assert record.incident is not None  # noqa: S101 - the caller asked for that of an incident
    chosen, names = None, tuple[str, ...]()
    if found := _rows_before(record, record.incident):
        rows, key = found
        chosen = _chosen(plans.get(key), rows, _alarm(record.incident))
        names = _column_names(plans.get(key), rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*EVIDENCE_COLUMNS, *names))
    if chosen is not None:
        writer.writerows(_line(chosen, EVIDENCE_KIND, index) for index in chosen.evidence)
        writer.writerows(_line(chosen, ORDINARY_KIND, index) for index in chosen.ordinary)
    return text.getvalue()


def _alarm(incident: Incident) -> Move | None:
    """The first breach, or else the first move."""
    breaches = (move for move in incident.moves if move.trigger == Input.BREACH)
    return next(breaches, incident.moves[0] if incident.moves else None)


def _rows_before(record: JudgementRecord, incident: Incident) -> tuple[Comparisons, str] | None:
    """The compared rows of the alarm's scope up to it, oldest first, and the key of the plan at that time. Rows that
    another judge has judged once more count once, and rows of another pair or of other scopes are left out.
    """
    alarm = _alarm(incident)
    if alarm is None:
        return None
    parts: dict[tuple[object, ...], list[Comparisons]] = {}
    plan = ""
    for key, rows in _compared(record):
        own = rows.take(_in_scope(rows, alarm.scope) & (rows.time <= alarm.time) & (rows.fault == Fault.NONE))
        if len(own):
            parts.setdefault(own.group_key, []).append(own)
            plan = key
    if not parts:
        return None
    first, *others = next(reversed(parts.values()))
    return first.join(*others) if others else first, plan


def _compared(record: JudgementRecord) -> Iterator[tuple[str, Comparisons]]:
    covered = BEFORE_ALL
    for begin, others in segments_of(record.entries()):
        plan = begin.plan
        for entry in others:
            if isinstance(entry, RecordedInput):
                plan = entry.plan or plan
                if isinstance(entry.item, ComparedRows) and not is_covered(entry.position, covered):
                    yield plan, entry.item.rows
        covered = last_position(begin, others)


def _in_scope(rows: Comparisons, scope: str) -> Bools:
    if scope == MODEL_SCOPE:
        return np.ones(len(rows), dtype=bool)
    if scope not in rows.scopes:
        return np.zeros(len(rows), dtype=bool)
    return np.asarray(rows.member[:, rows.scopes.index(scope)])


def _chosen(plan: Plan | None, rows: Comparisons, alarm: Move | None) -> ChosenRows:
    monitor, values = _values(plan, rows, alarm)
    known = np.nan_to_num(values)
    carried = known * (np.sign(known.mean()) or 1.0)
    order = np.lexsort((-rows.time, -carried))  # newer rows first among equal ones
    evidence = [int(index) for index in order if carried[index] > 0][:MOST_EVIDENCE_ROWS]
    others = [index for index in range(len(rows)) if carried[index] <= 0]
    picked = np.unique(np.linspace(0, len(others) - 1, MOST_ORDINARY_ROWS).astype(int)) if others else ()
    return ChosenRows(rows, monitor, values, evidence, [others[index] for index in picked])


def _values(plan: Plan | None, rows: Comparisons, alarm: Move | None) -> tuple[str, Floats]:
    """The monitor of the alarm, whose reason begins with its name, and its values (n,) of the variant whose mean lies
    furthest from zero; without such a monitor, whether the decisions differ.
    """
    specs: Mapping[str, MonitorSpec] = {spec.monitor.name: spec for spec in plan.specs} if plan else {}
    reason = alarm.reason if alarm else ""
    name = max((each for each in specs if reason.startswith(f"{each} ")), key=len, default="")
    if not name:
        return "", rows.disagree.astype(np.float64)
    valid, values = specs[name].monitor.observe_variants(rows, len(specs[name].variants))
    known = np.where(valid & np.isfinite(values), values, 0.0)
    return name, np.asarray(known[:, int(np.abs(known.mean(axis=0)).argmax())], dtype=np.float64)


def _column_names(plan: Plan | None, rows: Comparisons) -> tuple[str, ...]:
    """The names of the input columns in the record."""
    width = rows.features.shape[1]
    columns = plan.search.columns if plan and plan.search else ()
    if len(columns) == width:
        return tuple(f"input {each.name}" for each in columns)
    return tuple(f"input {index}" for index in range(width))


def _line(chosen: ChosenRows, kind: str, index: int) -> list[object]:
    rows = chosen.rows
    groups = [scope for scope, is_member in zip(rows.scopes, rows.member[index], strict=True) if is_member]
    return [
        kind,
        f"{utc_time(float(rows.time[index]))}Z".replace(" ", "T"),
        rows.request_id[index],
        "; ".join(groups),
        chosen.monitor,
        _figure(chosen.values[index]),
        int(rows.disagree[index]),
        Role.BASELINE if rows.served_by_baseline[index] else Role.COMPRESSED,
        int(rows.top_baseline[index]),
        int(rows.top_compressed[index]),
        _figure(rows.confidence_baseline[index]),
        _figure(rows.confidence_compressed[index]),
        *map(_figure, rows.features[index]),
    ]


def _figure(value: float) -> str:
    """A figure with six digits; empty if it is not known."""
    return f"{value:.6g}" if np.isfinite(value) else ""
