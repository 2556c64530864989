"""Match late labels with the compared rows that they belong to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tightrope.monitors.label_records import ADDED_MARK, Label, PendingRow, RowKey
from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Bools, Comparisons, Ints
from tightrope.monitors.scopes import with_model_scope
from tightrope.monitors.veto.drawing import agreed_before, awaits_label, has_chances, request_row_counts, row_numbers


@dataclass(frozen=True, slots=True)
class LabelMatches:
    """The result of matching: rows with their labels, labels without a row, and the number of duplicates.

    >>> label = Label("m", "r-1", row=0, label=1, time=0.0)
    >>> match_labels([label, label], {}, {}).duplicates
    1
    """

    rows: tuple[tuple[PendingRow, Label], ...] = ()
    waiting: tuple[Label, ...] = ()
    duplicates: int = 0


def match_labels(
    labels: Sequence[Label], rows: Mapping[RowKey, PendingRow], waiting: Mapping[RowKey, Label]
) -> LabelMatches:
    """Match labels with rows; only the first label of a row counts. A label without a row waits for it, once."""
    matched, unmatched, duplicates = [], [], 0
    used: set[RowKey] = set()
    for label in labels:
        key = (label.request_id, label.row)
        row = rows.get(key)
        if key in used or (row.joined if row else key in waiting):
            duplicates += 1
            continue
        used.add(key)
        if row is None:
            unmatched.append(label)
        else:
            matched.append((row, label))
    return LabelMatches(tuple(matched), tuple(unmatched), duplicates)


def count_agreed(plan: Plan, start: Ints, rows: Comparisons, new: Bools) -> tuple[Ints, Ints]:
    """The rows of each scope since the drawn disagreement before each row, (n, S), -1 for rows that are not ``new``;
    and those after the last one, (S,), from ``start`` (S,).
    """
    agreed = np.full((len(rows), len(plan.scopes)), -1)
    own = new & awaits_label(rows)
    if not plan.covers(rows) or not own.any():
        return agreed, start
    taken = rows.take(own)
    member = with_model_scope(taken.member) & (taken.draw[:, None] < plan.rates)
    drawn = taken.disagree & plan.label_draw.of_rows(taken).drawn
    agreed[own], trailing = agreed_before(start, member, drawn)
    return agreed, trailing


def rows_awaiting_labels(plan: Plan, rows: Comparisons, agreed: Ints | None = None) -> Iterator[PendingRow]:
    """Yield the sound, classified rows of a batch; the rows of one request are numbered from 0.

    Rows that the plan does not cover get an empty plan digest. Disagreements that are drawn for a label get what their
    evidence needs, of ``agreed`` as `count_agreed` returns it.
    """
    digest = _rows_digest(plan) if plan.covers(rows) else ""
    sound = awaits_label(rows)
    drawn = rows.disagree & plan.label_draw.of_rows(rows).drawn & sound
    known = np.zeros(len(rows), dtype=bool) if agreed is None or not digest else drawn & (agreed[:, 0] >= 0)
    of_request = request_row_counts(rows, sound, with_model_scope(rows.member))
    capped = np.zeros(len(rows), dtype=bool) | (has_chances(rows) & np.isfinite(rows.chances).all(axis=1))
    for index, (name, number) in enumerate(zip(rows.request_id, row_numbers(rows), strict=True)):
        if sound[index]:
            yield PendingRow(
                request_id=name,
                row=number,
                time=float(rows.time[index]),
                digest=digest,
                member=rows.member[index],
                draw=float(rows.draw[index]),
                disagree=bool(rows.disagree[index]),
                confidence_baseline=float(rows.confidence_baseline[index]),
                confidence_compressed=float(rows.confidence_compressed[index]),
                top_baseline=int(rows.top_baseline[index]),
                top_compressed=int(rows.top_compressed[index]),
                caller=int(rows.caller[index]),
                loss=float(rows.loss[index]),
                agreed=tuple(agreed[index].tolist()) if agreed is not None and known[index] else (),
                request_rows=tuple(of_request[index].tolist()) if known[index] else (),
                chances=tuple(rows.chances[index].tolist()) if capped[index] else (),
                partition=int(rows.partition[index]),
                offset=int(rows.offset[index]),
            )


def _rows_digest(plan: Plan) -> str:
    return ADDED_MARK.join([plan.digest, *(each.scope for each in plan.added)])


def _fitted(plan: Plan, row: PendingRow) -> PendingRow:
    """A row with the scopes of a plan: it is in none that was added after it."""
    if row.digest == _rows_digest(plan):
        return row
    had, declared = row.digest.split(ADDED_MARK)[1:], len(plan.declared)
    added = [declared + had.index(each.scope) if each.scope in had else -1 for each in plan.added]
    scopes = [*range(declared), *added]
    counts = [0, *(scope + (scope >= 0) for scope in scopes)]
    agreed, request_rows = (
        tuple((*each, 0)[i] for i in counts) if each else () for each in (row.agreed, row.request_rows)
    )
    return replace(row, member=np.append(row.member, False)[scopes], agreed=agreed, request_rows=request_rows)


def is_usable(plan: Plan, row: PendingRow, label: Label) -> bool:
    """Tell whether a label says something about the rows without one: it names no probability, or the one with which
    its row was drawn.
    """
    if not label.probability:
        return True
    draw = plan.label_draw.of_waiting([row])
    drawn = bool(draw.drawn[0]) and (not row.disagree or bool(row.agreed))
    return drawn and bool(np.isclose(label.probability, draw.probabilities[0]))


def kept_labels(plan: Plan, rows: Sequence[tuple[PendingRow, Label]]) -> list[Label]:
    """The labels that are kept beside their rows. Under a daily cap those of the random sample, with its probability of
    the day: it is not the same on all days, and no other label says whether its row is in the sample.
    """
    kept = []
    for row, label in rows:
        if not row.chances or not label.probability:
            kept.append(label)
        elif plan.label_draw.of_waiting([row]).sampled[0]:
            kept.append(replace(label, probability=row.chances[1]))
    return kept


def labelled_comparisons(plan: Plan, log: str, matches: Sequence[tuple[PendingRow, Label]]) -> Comparisons:
    """Build rows for the label monitors, in the order of the labels and at their times; other columns are unknown.

    Labels that were drawn because the models disagree say nothing about confidence: their rows have none.
    """
    rows = [_fitted(plan, row) for row, _ in matches]
    probability = np.array([label.probability for _, label in matches])
    sampled = (probability == 0) | plan.label_draw.of_waiting(rows).sampled
    none = (0,) * len(plan.scopes)
    classes = np.array([label.label for _, label in matches])
    top_b, top_c = np.array([row.top_baseline for row in rows]), np.array([row.top_compressed for row in rows])
    return Comparisons.from_columns(
        len(rows),
        model=plan.model,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        log=log,
        scopes=plan.scopes[1:],
        time=[label.time for _, label in matches],
        request_id=tuple(f"{row.request_id}#{row.row}" for row in rows),
        member=np.array([row.member for row in rows]).reshape(len(rows), len(plan.scopes) - 1),
        draw=[row.draw for row in rows],
        disagree=[row.disagree for row in rows],
        confidence_baseline=np.where(sampled, [row.confidence_baseline for row in rows], np.nan),
        confidence_compressed=np.where(sampled, [row.confidence_compressed for row in rows], np.nan),
        inclusion=np.where(probability > 0, probability, np.nan),
        agreed=[row.agreed or none for row in rows],
        request_rows=[row.request_rows or none for row in rows],
        top_baseline=top_b,
        top_compressed=top_c,
        caller=[row.caller for row in rows],
        loss=[row.loss for row in rows],
        correct_baseline=top_b == classes,
        correct_compressed=top_c == classes,
    )
