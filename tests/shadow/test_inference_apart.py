"""The worker runs samples apart wherever the gateway keeps requests apart."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.onnx_models import classifier
from tests.support.samples import COMPRESSED, CountingModel, WorkerHarness, runs, sample, watched
from tests.support.serving import row_models
from tests.support.serving.model_pairs import CALM
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.compare import read_output
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.kinds.registry import KINDS
from tightrope.monitors.kinds.seam import PairLayout, TensorLayout
from tightrope.monitors.records import Role
from tightrope.shadow.inference import run_shadow
from tightrope.wiring.embedded import as_watched


def healthy(path: Path) -> Path:
    """Write a classifier whose rows are independent."""
    return classifier(path, row_models.WEIGHTS)


@pytest.mark.parametrize("shadow_role", Role)
@pytest.mark.parametrize(
    ("baseline", "compressed", "sizes"),
    [(healthy, row_models.quantized, [1, 2, 1]), (row_models.quantized, healthy, [1, 2, 1]), (healthy, healthy, [4])],
)
def test_rows_are_compared_as_they_would_be_served(
    tmp_path: Path,
    baseline: Callable[[Path], Path],
    compressed: Callable[[Path], Path],
    sizes: list[int],
    shadow_role: Role,
) -> None:
    """One model whose rows depend on each other keeps the samples of both apart, each sample whole."""
    files = {"baseline": str(baseline(tmp_path / "b.onnx")), "compressed": str(compressed(tmp_path / "c.onnx"))}
    pair = as_watched(pair_of(tmp_path, **files, **CALM))
    pair = replace(pair, models={role: CountingModel(model) for role, model in pair.models.items()})
    rows = [[[0.1, 0.02]], [[0.3, -0.1], [40.0, -9.0]], [[0.2, 0.7]]]
    made = [sample(pair, one, served_by=shadow_role.other) for one in rows]
    parts = [SampleBatch.from_samples([one]) for one in made]
    served = read_output(np.concatenate([one.outputs[pair.output] for one in made]), pair.decision.scale)
    runs(pair, shadow_role).clear()
    shadow = run_shadow(pair, parts, served, np.full(4, 2))
    assert runs(pair, shadow_role) == sizes
    model = pair.models[shadow_role]
    alone = [model.run(one.inputs, [pair.output])[pair.output] for one in made]
    np.testing.assert_allclose(shadow.values, read_output(np.concatenate(alone), pair.decision.scale).values, atol=1e-6)


@pytest.mark.parametrize("kind", [None, "multilabel"])
@pytest.mark.parametrize("served_by", Role)
def test_samples_of_a_gateway_that_keeps_requests_apart(tmp_path: Path, served_by: Role, kind: str | None) -> None:
    """Each runs alone, though the worker knows no reason; the others share a run, and every row gets its own result."""
    layout = PairLayout([], [TensorLayout("probabilities", (-1, 3), "f")])
    built = kind and KINDS[kind]({"scale": "probabilities", "loss": "hamming"}, layout)
    shop = WorkerHarness({"m": replace(watched(tmp_path), kind=built or None)})
    pair = shop.watched["m"]
    rows = np.random.default_rng(0).normal(size=(8, 2))
    for number, row in enumerate(rows):
        made = sample(pair, [row], served_by=served_by, number=number)
        shop.publish(replace(made, apart=number % 2 == 0))
    runs(pair, served_by.other).clear()
    shop.worker().step(0)
    (batch,) = shop.comparisons()
    assert batch.apart.tolist() == [True, False] * 4
    alone = [1] * 4
    shared = [4] if kind is None else [1] * 4  # a kind compares record by record
    assert sorted(runs(pair, served_by.other)) == sorted(alone + shared)
    top = np.argmax(rows.astype(np.float32) @ COMPRESSED, axis=1)
    if kind is None:
        np.testing.assert_array_equal(batch.top_compressed, top)


def test_surprise_of_the_gateway_reaches_the_worker(tmp_path: Path) -> None:
    """In one process they share what is known of a pair."""
    path = str(healthy(tmp_path / "m.onnx"))
    pair = pair_of(tmp_path, baseline=path, compressed=path)
    seen = as_watched(pair)
    assert seen.max_run_rows(Role.BASELINE) > 1
    pair.batchability.keep_apart("a surprise")
    assert seen.max_run_rows(Role.BASELINE) == 0
