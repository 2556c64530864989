from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from tests.support.samples import BASELINE, COMPRESSED, WorkerHarness, runs, sample, watched
from tightrope.monitors.hunter.columns import InputColumn
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Comparisons, Fault, Role
from tightrope.service.adapters.ports import Record
from tightrope.shadow import inference as module
from tightrope.shadow.comparison import SampleRecord, compare_samples

Floats = npt.NDArray[np.float64]


@pytest.fixture
def shop(tmp_path: Path) -> WorkerHarness:
    """Provide one pair of models, watched as ``m``."""
    return WorkerHarness({"m": watched(tmp_path)})


def softmax(rows: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """Compute a classifier's output without the classifier."""
    scores = np.asarray(rows, dtype=float) @ np.asarray(weights, dtype=float)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def random_rows(n: int, seed: int = 0) -> Floats:
    """Input rows on which the two classifiers sometimes disagree."""
    return np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32).astype(float)


def assert_compared(batch: Comparisons, rows: Floats) -> None:
    """Check the columns against both models' outputs, by scipy's formulas."""
    b, c = softmax(rows, BASELINE), softmax(rows, COMPRESSED)
    np.testing.assert_array_equal(batch.disagree, b.argmax(axis=1) != c.argmax(axis=1))
    for role, outputs, threshold in (("baseline", b, 0.6), ("compressed", c, 0.5)):
        ranked = np.sort(outputs, axis=1)
        np.testing.assert_allclose(getattr(batch, f"confidence_{role}"), ranked[:, -1], atol=1e-6)
        np.testing.assert_allclose(getattr(batch, f"margin_{role}"), ranked[:, -1] - ranked[:, -2], atol=1e-6)
        np.testing.assert_allclose(getattr(batch, f"entropy_{role}"), entropy(outputs, axis=1), atol=1e-5)
        np.testing.assert_array_equal(getattr(batch, f"refused_{role}"), ranked[:, -1] < threshold)
    np.testing.assert_allclose(batch.distance, jensenshannon(b, c, base=2, axis=1), atol=1e-4)
    assert (batch.fault == Fault.NONE).all()


@pytest.mark.parametrize("served_by", list(Role))
def test_comparison_is_right_for_either_serving_role(shop: WorkerHarness, served_by: Role) -> None:
    """The shadow runs the other model, and its statistics are in that model's columns."""
    rows = random_rows(40)
    for number, row in enumerate(rows):
        shop.publish(sample(shop.watched["m"], [row], served_by=served_by, number=number))
    before = len(runs(shop.watched["m"], served_by))
    assert shop.worker().step(0) == 40
    (batch,) = shop.comparisons()
    assert_compared(batch, rows)
    assert 0 < batch.disagree.sum() < 40
    assert (batch.served_by_baseline == (served_by is Role.BASELINE)).all()
    assert len(runs(shop.watched["m"], served_by)) == before


def test_outputs_of_each_role_are_read_by_its_own_scale(tmp_path: Path) -> None:
    """The compressed model gives logits; samples that either role answered stand in one record."""
    shop = WorkerHarness({"m": watched(tmp_path, scores=True)})
    rows, pair = random_rows(40), shop.watched["m"]
    shop.publish(
        *(sample(pair, [row], served_by=[*Role][number % 2], number=number) for number, row in enumerate(rows))
    )
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert_compared(batch, rows)
    assert 0 < batch.disagree.sum() < 40


def test_row_keeps_the_fields_of_its_sample(shop: WorkerHarness) -> None:
    """Partition, offset, time, id, subgroups, draw and artefacts come from the sample; the log's name from the bus."""
    pair = shop.watched["m"]
    shop.publish(sample(pair, random_rows(1), number=7))
    shop.publish(sample(pair, random_rows(2), number=8), sample(pair, random_rows(1), number=9))
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert batch.request_id == ("r-7", "r-8", "r-8", "r-9")
    assert batch.offset.tolist() == [0, 1, 1, 1]
    assert batch.partition.tolist() == [0, 0, 0, 0]
    assert batch.time.tolist() == [1007.0, 1008.0, 1008.0, 1009.0]
    assert (batch.log, batch.model, batch.scopes) == (shop.bus.log, "m", ("half=left",))
    assert batch.member.all()
    assert set(batch.draw) == {0.25}
    assert set(batch.inclusion) == {1.0}
    digests = [pair.models[role].digest for role in (Role.BASELINE, Role.COMPRESSED)]
    assert [batch.baseline_digest, batch.compressed_digest] == digests


def test_rows_have_the_searched_input_columns(tmp_path: Path) -> None:
    """As numbers of FP32; a pair without such columns has no features."""
    pair = watched(tmp_path)
    rows = random_rows(3)
    records = [SampleRecord(SampleBatch.from_samples([sample(pair, rows)]), Record("samples", 0, 0, "m", b""))]
    (plain,) = compare_samples(pair, records, "log")
    assert plain.comparisons.features.shape == (3, 0)
    name = next(iter(records[0].samples.inputs))
    (searched,) = compare_samples(replace(pair, columns=(InputColumn(name, 1, "column 1"),)), records, "log")
    assert searched.comparisons.features.tolist() == rows[:, [1]].astype(np.float32).tolist()


def test_samples_of_equal_layout_share_one_run(shop: WorkerHarness) -> None:
    """Samples of one layout and role cost one run of the other model, across records."""
    pair = shop.watched["m"]
    samples = [sample(pair, random_rows(1 + n % 3, n), served_by=list(Role)[n % 2], number=n) for n in range(12)]
    for role in Role:
        runs(pair, role).clear()
    shop.publish(*samples[:5])
    shop.publish(*samples[5:])
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert runs(pair, Role.BASELINE) == [sum(len(s.member) for s in samples if s.served_by is Role.COMPRESSED)]
    assert runs(pair, Role.COMPRESSED) == [sum(len(s.member) for s in samples if s.served_by is Role.BASELINE)]
    assert batch.request_id == tuple(s.request_id for s in samples for _ in s.member)
    assert_compared(batch, np.concatenate([s.inputs["input"] for s in samples]).astype(float))


def test_run_is_cut_at_the_maximum_number_of_rows(shop: WorkerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples beyond the limit belong to the next run; a larger sample runs alone."""
    monkeypatch.setattr(module, "MAX_SHADOW_RUN_ROWS", 4)
    pair = shop.watched["m"]
    rows = [3, 1, 2, 6, 1]
    shop.publish(*(sample(pair, random_rows(n, n), number=number) for number, n in enumerate(rows)))
    shop.worker().step(0)
    assert runs(pair, Role.BASELINE) == [4, 2, 6, 1]
    assert_compared(shop.comparisons()[0], np.concatenate([random_rows(n, n) for n in rows]))


def test_fixed_first_dimension_runs_alone(tmp_path: Path) -> None:
    """A model with a fixed first dimension runs sample by sample."""
    pair = replace(watched(tmp_path), free=False)
    shop = WorkerHarness({"m": pair})
    shop.publish(*(sample(pair, random_rows(1, n), number=n) for n in range(5)))
    shop.worker().step(0)
    assert runs(pair, Role.BASELINE) == [1] * 5
    assert_compared(shop.comparisons()[0], np.concatenate([random_rows(1, n) for n in range(5)]))


def test_models_are_compared_separately(tmp_path: Path) -> None:
    """Samples of two models in one poll become one batch of each, and each is counted."""
    for name in ("m", "n"):
        (tmp_path / name).mkdir()
    shop = WorkerHarness({"m": watched(tmp_path / "m"), "n": watched(tmp_path / "n", BASELINE[:, ::-1], BASELINE)})
    shop.publish(*(sample(shop.watched[name], random_rows(2, 3), model=name) for name in ("n", "m", "n")))
    shop.worker().step(0)
    batches = {batch.model: batch for batch in shop.comparisons()}
    assert {name: len(batch) for name, batch in batches.items()} == {"m": 2, "n": 4}
    assert_compared(batches["m"], random_rows(2, 3))
    swapped, plain = softmax(random_rows(2, 3), BASELINE[:, ::-1]), softmax(random_rows(2, 3), BASELINE)
    expected = np.tile(swapped.argmax(axis=1) != plain.argmax(axis=1), 2)
    np.testing.assert_array_equal(batches["n"].disagree, expected)
    for name, batch in batches.items():
        for scope in ("model", "half=left"):
            assert shop.metrics.total("comparisons", model=name, scope=scope) == len(batch)
            assert shop.metrics.total("disagreements", model=name, scope=scope) == batch.disagree.sum()


def test_pairs_of_artefacts_are_compared_separately(shop: WorkerHarness) -> None:
    """Rows of a new compressed model are not mixed with earlier ones; the order of the log is kept."""
    pair, taken = shop.watched["m"], []
    for number in range(6):
        made = sample(pair, random_rows(1, number), number=number)
        digest = "new" if number in {2, 3} else made.compressed_digest
        record = Record("samples", 0, number, None, b"")
        taken.append(SampleRecord(SampleBatch.from_samples([replace(made, compressed_digest=digest)]), record))
    batches = [batch.comparisons for batch in compare_samples(pair, taken, "log-1")]
    assert [batch.offset.tolist() for batch in batches] == [[0, 1], [2, 3], [4, 5]]
    assert [batch.compressed_digest == "new" for batch in batches] == [False, True, False]
