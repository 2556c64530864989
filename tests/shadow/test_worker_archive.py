from pathlib import Path

import numpy as np

from tests.support.onnx_models import classifier
from tests.support.samples import BASELINE, COMPRESSED, Workshop, sample, watched
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.records import Role
from tightrope.service.adapters.archive.row_format import Layout, Table, pack
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Compared
from tightrope.shadow.worker import Watched, Worker

NAN = float("nan")


class Kept:
    """An archive that a test can look into."""

    def __init__(self) -> None:
        self.batches: list[Compared] = []

    def append(self, batch: Compared) -> None:
        """Keep it."""
        self.batches.append(batch)


def archived(of: Watched, *rows: list[list[float]], served_by: Role = Role.COMPRESSED) -> list[Compared]:
    """What a worker hands to its archive of samples with these rows."""
    shop, kept = Workshop({"m": of}), Kept()
    shop.publish(*(sample(of, row, number=i, served_by=served_by) for i, row in enumerate(rows)))
    worker = Worker(shop.bus, shop.watched, shop.metrics, shop.stopping, kept)
    worker.step(0.0)
    assert [batch.comparisons.offset.tolist() for batch in kept.batches] == [
        batch.offset.tolist() for batch in shop.comparisons()
    ]
    return kept.batches


def test_every_compared_row_is_handed_on_with_its_inputs(tmp_path: Path) -> None:
    """Sample by sample, together as many rows as comparisons."""
    of = watched(tmp_path)
    (batch,) = archived(of, [[1.0, 0.0], [0.0, 1.0]], [[2.0, 3.0]])
    assert len(batch.comparisons) == 3
    kept = Table.of(*pack(Layout.of(of.models[Role.BASELINE].inputs), batch))
    assert kept.inputs["input_0"].tolist() == [1, 0, 2]
    assert kept.inputs["input_1"].tolist() == [0, 1, 3]


def test_both_models_decisions_are_told_by_role(tmp_path: Path) -> None:
    """Whoever answered: the class with the largest probability."""
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    for served_by in Role:
        (batch,) = archived(watched(tmp_path), rows.tolist(), served_by=served_by)
        assert batch.decided[Role.BASELINE].tolist() == (rows @ BASELINE).argmax(axis=1).tolist()
        assert batch.decided[Role.COMPRESSED].tolist() == (rows @ COMPRESSED).argmax(axis=1).tolist()


def test_a_row_that_could_not_be_read_has_no_decision(tmp_path: Path) -> None:
    """Not class 0."""
    (batch,) = archived(watched(tmp_path), [[1.0, 0.0], [NAN, 0.0]])
    assert [np.isnan(column).tolist() for column in batch.decided.values()] == [[False, True], [False, True]]


def test_a_regression_s_decision_is_its_value(tmp_path: Path) -> None:
    """The first one, where there are several."""
    model = OnnxModel(classifier(tmp_path / "scores.onnx", BASELINE, scores=True))
    of = Watched(dict.fromkeys(Role, model), Decision(Scale.REGRESSION, None, 0.1), "probabilities", free=True)
    (batch,) = archived(of, [[1.0, 2.0]])
    assert batch.decided[Role.BASELINE].tolist() == [2.0]


def test_without_an_archive_a_worker_works(tmp_path: Path) -> None:
    """As one in a test, or in a cluster that makes no reports."""
    of = watched(tmp_path)
    shop = Workshop({"m": of})
    shop.publish(sample(of, [[1.0, 0.0]]))
    assert shop.worker().step(0.0) == 1
