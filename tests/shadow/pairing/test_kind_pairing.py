"""The worker's comparison of decisions that a kind reads, over real models."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.samples import BASELINE, COMPRESSED, REFUSAL, CountingModel, WorkerHarness, sample
from tightrope.monitors.compare import Decision, Scale
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import KindReading, PairLayout, TensorLayout
from tightrope.monitors.records import Fault, Role, Sample
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import Model
from tightrope.shadow.inference import WatchedPair
from tightrope.shadow.pairing.kind_pairing import decided_values

LAYOUT = PairLayout([], [TensorLayout("probabilities", (-1, 3), "f")])
ROWS = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)


def watched(folder: Path, kind: str = "multilabel", **options: object) -> WatchedPair:
    """A pair of small models of scores, read as three labels."""
    models: dict[Role, Model] = {
        role: CountingModel(OnnxModel(classifier(folder / f"{role}.onnx", weights, scores=True)))
        for role, weights in ((Role.BASELINE, BASELINE), (Role.COMPRESSED, COMPRESSED))
    }
    options = {"scale": "logits", "loss": "hamming"} if kind == "multilabel" else options
    built = KINDS[kind](options, LAYOUT)
    return WatchedPair(models, Decision(Scale.LOGITS, REFUSAL), "probabilities", free=True, kind=built)


@pytest.fixture
def shop(tmp_path: Path) -> WorkerHarness:
    """One pair, watched as ``m``."""
    return WorkerHarness({"m": watched(tmp_path)})


def labels(weights: np.ndarray) -> np.ndarray:
    """The labels that a model gives each row, without the model."""
    return ROWS.astype(float) @ weights.astype(float) > 0


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("served_by", list(Role))
def test_loss_is_the_share_of_labels_that_differ(shop: WorkerHarness, served_by: Role, rows: int) -> None:
    """For either serving role, and for requests of any number of rows, in the order of the samples."""
    pair = shop.watched["m"]
    for number, start in enumerate(range(0, len(ROWS), rows)):
        shop.publish(sample(pair, ROWS[start : start + rows], served_by=served_by, number=number))
    shop.worker().step(0)
    batches = shop.comparisons()
    loss = np.concatenate([batch.loss for batch in batches])
    b, c = labels(BASELINE), labels(COMPRESSED)
    np.testing.assert_allclose(loss, (b != c).mean(axis=1))
    mix = np.concatenate([batch.mix for batch in batches])
    np.testing.assert_array_equal(mix, c.astype(float) - b)
    assert np.concatenate([batch.disagree for batch in batches]).tolist() == (b != c).any(axis=1).tolist()
    assert {name for batch in batches for name in batch.request_id} == {f"r-{n}" for n in range(len(ROWS) // rows)}


def test_samples_of_both_roles_in_one_record_keep_their_order(shop: WorkerHarness) -> None:
    """Every third was answered by the baseline."""
    pair = shop.watched["m"]
    roles = [Role.BASELINE if number % 3 == 0 else Role.COMPRESSED for number in range(len(ROWS))]
    shop.publish(
        *(sample(pair, [row], served_by=role, number=n) for n, (row, role) in enumerate(zip(ROWS, roles, strict=True)))
    )
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    np.testing.assert_allclose(batch.loss, (labels(BASELINE) != labels(COMPRESSED)).mean(axis=1))
    assert batch.served_by_baseline.tolist() == [role is Role.BASELINE for role in roles]
    assert batch.confidence_baseline.min() > 0


def test_row_on_which_the_other_model_fails_is_a_fault(shop: WorkerHarness) -> None:
    """The others are compared."""
    pair = shop.watched["m"]
    lone = sample(pair, [ROWS[1]], number=1, outputs=np.array([[np.nan, 0, 0]], np.float32))
    shop.publish(sample(pair, [ROWS[0]], number=0), lone)
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert batch.fault.tolist() == [Fault.NONE, Fault.NOT_FINITE]
    assert np.isnan(batch.loss).tolist() == [False, True]


def test_run_that_fails_is_a_fault_of_its_own_rows(tmp_path: Path) -> None:
    """A width that the model does not take fails alone, after it failed with others."""
    pair = watched(tmp_path)
    shop = WorkerHarness({"m": pair})
    wide = Sample(**{**_fields(sample(pair, [ROWS[0]], number=1)), "inputs": {"input": np.zeros((1, 3), np.float32)}})
    shop.publish(sample(pair, [ROWS[0]], number=0), wide)
    shop.worker().step(0)
    faults = {batch.request_id[i]: int(batch.fault[i]) for batch in shop.comparisons() for i in range(len(batch))}
    assert faults == {"r-0": Fault.NONE, "r-1": Fault.RUN_FAILED}


def _fields(one: Sample) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def test_second_run_of_the_baseline_shows_its_own_loss(tmp_path: Path) -> None:
    """A model that does not change has none; rows that it ran once have NaN."""
    pair = replace(watched(tmp_path), noise_share=0.5)
    shop = WorkerHarness({"m": pair})
    chosen = [replace(sample(pair, [row], number=n), draw=0.9 * (n % 2)) for n, row in enumerate(ROWS[:6])]
    shop.publish(*chosen)
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    np.testing.assert_array_equal(batch.self_disagree, [0.0, np.nan] * 3)


def test_decision_of_a_row_is_its_class_or_its_first_value() -> None:
    """NaN without either."""
    fault = np.zeros(2, np.int8)
    classes = KindReading.of(fault, {}, top=np.array([2, 0]))
    values = KindReading.of(np.array([0, Fault.NOT_FINITE], np.int8), {"value": np.array([[1.5, 2.0], [3.0, 4.0]])})
    np.testing.assert_array_equal(decided_values(classes), [2.0, 0.0])
    np.testing.assert_array_equal(decided_values(values), [1.5, np.nan])
    np.testing.assert_array_equal(decided_values(KindReading.of(fault, {})), [np.nan, np.nan])


def test_sample_without_its_reading_is_a_fault(tmp_path: Path) -> None:
    """Where the kind expects the reading in place of the output."""
    pair = watched(tmp_path)
    condensed = KINDS["positions"]({}, PairLayout([], [TensorLayout("probabilities", (-1, 4, 3000), "f")]))
    assert condensed.is_condensed
    shop = WorkerHarness({"m": replace(pair, kind=condensed)})
    shop.publish(sample(pair, [ROWS[0]]))
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert batch.fault[0] != Fault.NONE
