"""Rows that were drawn for a label are listed until it comes, on disk or not yet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.judgement.labelled_judge import NOW, batches, labelled, truths
from tightrope.monitors.plan import initial_state
from tightrope.monitors.records import Comparisons
from tightrope.service.adapters.ports import JudgedInputs, Record
from tightrope.service.adapters.sqlite.store import SqliteStore
from tightrope.service.adapters.wire.record_codec import encode_comparisons
from tightrope.shadow.judge_round import JudgeRound

PLAN = labelled()


def saved_round(store: SqliteStore, rows: Comparisons, *, put_off: bool) -> None:
    """Judge rows and save the round, or put it off."""
    if store.empty:
        store.save("log", {}, {"m": b"snapshot"}, [], {})
    judge_round = JudgeRound({"m": PLAN}, {"m": initial_state(PLAN)}, store, "host", NOW)
    record = Record("c", 0, 0, "m", encode_comparisons(rows))
    assert list(judge_round.process([record])) == []
    inputs = JudgedInputs(NOW, [record]) if put_off else None
    store.save("log", {("c", 0): 1}, {"m": b"snapshot"}, [], judge_round.pending, inputs)


@pytest.mark.parametrize("put_off", [False, True])
def test_drawn_rows_are_listed_until_their_label_comes(tmp_path: Path, *, put_off: bool) -> None:
    """Every disagreement, oldest first; of the others those of the random sample."""
    (plain,) = batches(1, rows=20)
    rows = replace(plain, disagree=plain.top_compressed != plain.top_baseline, draw=np.full(20, 0.5 + 2.0**-28))
    store = SqliteStore(tmp_path / "db")
    saved_round(store, rows, put_off=put_off)
    listed = store.rows_to_label("m", PLAN.label_draw, 100)
    assert [row.request_id for row in listed] == [rows.request_id[index] for index in (0, 5, 10, 15)]
    assert [row.request_id for row in store.rows_to_label("m", PLAN.label_draw, 2)] == [
        rows.request_id[index] for index in (0, 5)
    ]
    labelled_round = JudgeRound({"m": PLAN}, {"m": initial_state(PLAN)}, store, "host", NOW)
    labelled_round.add_labels([replace(truths(rows)[5], probability=1.0)])
    store.save("log", {}, {"m": b"snapshot"}, [], labelled_round.pending)
    left = [row.request_id for row in store.rows_to_label("m", PLAN.label_draw, 100)]
    assert left == [rows.request_id[index] for index in (0, 10, 15)]
    assert store.rows_to_label("another", PLAN.label_draw, 100) == []
    everyone = replace(PLAN.label_draw, random=1.0)
    assert len(store.rows_to_label("m", everyone, 100)) == 19
