"""Late labels: which compared row each belongs to, and what it says of the two models."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tightrope.monitors.plan import Plan
from tightrope.monitors.records import Comparisons, Fault, Held, Label

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Joined:
    """What came of some labels: rows with their labels, labels that wait for their row, how many came twice."""

    rows: tuple[tuple[Held, Label], ...] = ()
    waiting: tuple[Label, ...] = ()
    duplicates: int = 0


def join(labels: Sequence[Label], held: Mapping[Key, Held], waiting: Mapping[Key, Label]) -> Joined:
    """Match labels with held rows, the first label of a row only. A label whose row is not known waits, once."""
    rows, left, twice = [], [], 0
    used: set[Key] = set()
    for label in labels:
        key = (label.request_id, label.row)
        row = held.get(key)
        if key in used or (row.joined if row else key in waiting):
            twice += 1
            continue
        used.add(key)
        if row is None:
            left.append(label)
        else:
            rows.append((row, label))
    return Joined(tuple(rows), tuple(left), twice)


def holdings(plan: Plan, rows: Comparisons) -> Iterator[Held]:
    """The sound rows of a batch as they wait for their labels; rows of one request are counted from 0. Rows that the
    plan does not cover wait as those of no plan.
    """
    digest = plan.digest if plan.covers(rows) else ""
    number = -1
    before: tuple[str, int] | None = None
    for index, name in enumerate(rows.request_id):
        here = (name, int(rows.offset[index]))
        number = number + 1 if here == before else 0
        before = here
        if rows.fault[index] == Fault.NONE and rows.top_baseline[index] >= 0:
            yield Held(
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
            )


def labelled(plan: Plan, log: str, joined: Sequence[tuple[Held, Label]]) -> Comparisons:
    """Rows with their truth, in the order in which labels arrived, for the label monitors; the rest of them is NaN."""
    rows = [row for row, _ in joined]
    n = len(rows)
    truth = np.array([label.label for _, label in joined])
    top_b, top_c = (np.array([getattr(row, f"top_{role}") for row in rows]) for role in ("baseline", "compressed"))
    nothing, never = np.full(n, np.nan), np.zeros(n, dtype=bool)
    return Comparisons(
        model=plan.model,
        baseline_digest=plan.baseline_digest,
        compressed_digest=plan.compressed_digest,
        log=log,
        scopes=plan.scopes[1:],
        partition=np.zeros(n, dtype=np.int64),
        offset=np.zeros(n, dtype=np.int64),
        time=np.array([label.time for _, label in joined]),
        request_id=tuple(f"{row.request_id}#{row.row}" for row in rows),
        served_by_baseline=never,
        member=np.array([row.member for row in rows]).reshape(n, len(plan.scopes) - 1),
        draw=np.array([row.draw for row in rows]),
        inclusion=nothing,
        disagree=np.array([row.disagree for row in rows]),
        confidence_baseline=np.array([row.confidence_baseline for row in rows]),
        confidence_compressed=np.array([row.confidence_compressed for row in rows]),
        entropy_baseline=nothing,
        entropy_compressed=nothing,
        margin_baseline=nothing,
        margin_compressed=nothing,
        refused_baseline=never,
        refused_compressed=never,
        distance=nothing,
        top_baseline=top_b,
        top_compressed=top_c,
        twin=np.zeros(n, dtype=np.uint64),
        seconds=nothing,
        self_disagree=nothing,
        correct_baseline=(top_b == truth).astype(np.float64),
        correct_compressed=(top_c == truth).astype(np.float64),
        fault=np.zeros(n, dtype=np.int8),
    )
