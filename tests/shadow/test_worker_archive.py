from pathlib import Path

import numpy as np

from tests.support.judgement.compared_rows import packed_rows
from tests.support.onnx_models import classifier
from tests.support.samples import BASELINE, COMPRESSED, WorkerHarness, sample, watched
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.row_format import ColumnLayout, RowTable
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import ComparedBatch
from tightrope.shadow.worker import WatchedPair, Worker

NAN = float("nan")


class ListArchive:
    """An archive in a list."""

    def __init__(self) -> None:
        self.batches: list[ComparedBatch] = []

    def append(self, batch: ComparedBatch) -> None:
        """Keep the batch."""
        self.batches.append(batch)


def archived(pair: WatchedPair, *rows: list[list[float]], served_by: Role = Role.COMPRESSED) -> list[ComparedBatch]:
    """Run a worker on samples with these rows, and return the archived batches."""
    shop, kept = WorkerHarness({"m": pair}), ListArchive()
    shop.publish(*(sample(pair, row, number=i, served_by=served_by) for i, row in enumerate(rows)))
    worker = Worker(shop.bus, shop.watched, shop.metrics, shop.stopping, kept)
    worker.step(0.0)
    assert [batch.comparisons.offset.tolist() for batch in kept.batches] == [
        batch.offset.tolist() for batch in shop.comparisons()
    ]
    return kept.batches


def test_compared_rows_are_archived_with_their_inputs(tmp_path: Path) -> None:
    """There is one entry of inputs per sample, with as many rows in total as comparisons."""
    pair = watched(tmp_path)
    (batch,) = archived(pair, [[1.0, 0.0], [0.0, 1.0]], [[2.0, 3.0]])
    assert len(batch.comparisons) == 3
    kept = RowTable.from_records(*packed_rows(ColumnLayout.from_specs(pair.models[Role.BASELINE].inputs), batch))
    assert kept.inputs["input_0"].tolist() == [1, 0, 2]
    assert kept.inputs["input_1"].tolist() == [0, 1, 3]


def test_decisions_of_both_models_are_archived_by_role(tmp_path: Path) -> None:
    """The decision is the class with the largest probability, for either serving role."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    for served_by in Role:
        (batch,) = archived(watched(tmp_path), rows.tolist(), served_by=served_by)
        assert batch.decisions[Role.BASELINE].tolist() == (rows @ BASELINE).argmax(axis=1).tolist()
        assert batch.decisions[Role.COMPRESSED].tolist() == (rows @ COMPRESSED).argmax(axis=1).tolist()


def test_row_with_a_fault_has_no_decision(tmp_path: Path) -> None:
    """The decision is NaN, not class 0."""
    (batch,) = archived(watched(tmp_path), [[1.0, 0.0], [NAN, 0.0]])
    assert [np.isnan(column).tolist() for column in batch.decisions.values()] == [[False, True], [False, True]]


def test_decision_of_a_regression_is_its_value(tmp_path: Path) -> None:
    """With several values it is the first one."""
    model = OnnxModel(classifier(tmp_path / "scores.onnx", BASELINE, scores=True))
    pair = WatchedPair(dict.fromkeys(Role, model), Decision(Scale.REGRESSION, None, 0.1), "probabilities", free=True)
    (batch,) = archived(pair, [[1.0, 2.0]])
    assert batch.decisions[Role.BASELINE].tolist() == [2.0]


def test_worker_works_without_an_archive(tmp_path: Path) -> None:
    """A cluster without drift reports has none."""
    pair = watched(tmp_path)
    shop = WorkerHarness({"m": pair})
    shop.publish(sample(pair, [[1.0, 0.0]]))
    assert shop.worker().step(0.0) == 1
