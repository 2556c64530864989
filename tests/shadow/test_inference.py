"""Samples of equal layout share runs of the model that did not answer, across records."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.onnx_models import looping
from tests.support.samples import CountingModel, runs, sample, watched
from tightrope.monitors.compare import Reading, read_output
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Fault, Role, Sample, Tensors
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunDeadlineError, RunFailedError, UnreachableError
from tightrope.service.adapters.runs.breaker import MAX_EXPIRED
from tightrope.service.adapters.runs.detached import UNMEASURED_ROWS, DetachedModel, detach
from tightrope.service.adapters.runs.watched_runs import limit_runs
from tightrope.shadow import inference
from tightrope.shadow.inference import WatchedPair, pad_classes, run_shadow

LUCK = np.random.default_rng(3)


@pytest.fixture(scope="module")
def shared_pair(tmp_path_factory: pytest.TempPathFactory) -> WatchedPair:
    """Provide a pair of small classifiers."""
    return watched(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pair(tmp_path: Path) -> WatchedPair:
    """Provide a pair whose runs only this test counts."""
    return watched(tmp_path)


def served(pair: WatchedPair, parts: list[SampleBatch]) -> tuple[Reading, npt.NDArray[np.int64]]:
    """Read the served outputs; with the number of classes of each row."""
    primary = read_output(np.concatenate([part.outputs[pair.output] for part in parts]), pair.decision.scale)
    return primary, np.full(len(primary.fault), primary.values.shape[1])


def shadow_values(pair: WatchedPair, one: Sample) -> npt.NDArray[np.float64]:
    """Run the other model on one sample alone."""
    return read_output(
        pair.models[one.served_by.other].run(one.inputs, [pair.output])[pair.output], pair.decision.scale
    ).values


SIZES = st.lists(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Role)), min_size=1, max_size=4), min_size=1)


@given(records=SIZES, most=st.integers(1, 9), free=st.booleans())
@settings(deadline=None, max_examples=60)
def test_each_row_gets_its_own_output(
    shared_pair: WatchedPair,
    records: list[list[tuple[int, Role]]],
    most: int,
    free: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Samples of both roles are spread over records at random, and runs are cut at any size."""
    made = [[sample(shared_pair, LUCK.normal(size=(n, 2)), served_by=by) for n, by in record] for record in records]
    parts = [SampleBatch.from_samples(record) for record in made]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "MAX_SHADOW_RUN_ROWS", most)
        shadow = run_shadow(replace(shared_pair, free=free), parts, *served(shared_pair, parts))
    np.testing.assert_allclose(
        shadow.values, np.concatenate([shadow_values(shared_pair, one) for record in made for one in record]), atol=1e-6
    )
    assert not shadow.fault.any()


def test_runs_are_filled_up_to_the_limit(pair: WatchedPair, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may span records; a sample is never cut, and one that is too large runs alone."""
    monkeypatch.setattr(inference, "MAX_SHADOW_RUN_ROWS", 4)
    parts = [
        SampleBatch.from_samples([sample(pair, np.ones((n, 2))) for n in rows])
        for rows in ([1, 2], [1, 1, 3], [9], [4])
    ]
    runs(pair, Role.BASELINE).clear()
    run_shadow(pair, parts, *served(pair, parts))
    assert runs(pair, Role.BASELINE) == [4, 4, 9, 4]


def test_inputs_of_different_layouts_never_share_a_run(pair: WatchedPair) -> None:
    """Samples of equal layout share one, even with another record in between."""
    usual = [SampleBatch.from_samples([sample(pair, np.ones((2, 2)))]) for _ in range(2)]
    odd = replace(usual[0], inputs={"input": np.zeros((2, 2), np.float64)})
    parts = [usual[0], odd, usual[1]]
    runs(pair, Role.BASELINE).clear()
    shadow = run_shadow(pair, parts, *served(pair, parts))
    assert sorted(runs(pair, Role.BASELINE)) == [2, 4]
    assert shadow.fault.tolist() == [0, 0, Fault.RUN_FAILED, Fault.RUN_FAILED, 0, 0]
    assert np.isnan(shadow.values).all(axis=1).tolist() == [False, False, True, True, False, False]


class FailingModel(CountingModel):
    """A model that always raises the same error."""

    def __init__(self, model: CountingModel, error: RunFailedError) -> None:
        super().__init__(model)
        self.error = error

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """Raise the error."""
        super().run(inputs, outputs)
        raise self.error


@pytest.mark.parametrize(
    ("error", "sizes", "reported"),
    [
        (RunFailedError("no"), [3, 2, 1], ["no", "no"]),
        (RunDeadlineError("late"), [3, 2, 1], ["2", "1", "1"]),
        (UnreachableError("gone"), [3], []),
    ],
)
def test_unreachable_model_is_not_run_again(
    pair: WatchedPair,
    error: RunFailedError,
    sizes: list[int],
    reported: list[str | int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that failed is repeated sample by sample, each failure is logged; an unreachable model would fail again."""
    model = FailingModel(pair.models[Role.BASELINE], error)  # type: ignore[arg-type]
    parts = [SampleBatch.from_samples([sample(pair, np.ones((rows, 2)), number=rows) for rows in (2, 1)])]
    shadow = run_shadow(replace(pair, models={**pair.models, Role.BASELINE: model}), parts, *served(pair, parts))
    assert model.runs == sizes
    assert shadow.fault.tolist() == [Fault.RUN_FAILED] * 3
    assert [str(record.args[1]) for record in caplog.records if isinstance(record.args, tuple)] == reported


def test_rows_with_another_number_of_classes_are_faults(pair: WatchedPair) -> None:
    """Other rows of the same run are sound."""
    parts = [SampleBatch.from_samples([sample(pair, np.ones((3, 2)))])]
    primary, widths = served(pair, parts)
    for wide, wrong in ((3, [3, 2, 3]), (3, [3, 1, 3]), (2, [2, 2, 2])):
        like = Reading(primary.values[:, :wide], primary.fault)
        shadow = run_shadow(pair, parts, like, np.array(wrong))
        assert shadow.fault.tolist() == [Fault.NONE if w == 3 else Fault.OUT_OF_RANGE for w in wrong]
        assert np.isnan(shadow.values[:, 0]).tolist() == [w != 3 for w in wrong]
    assert widths.tolist() == [3, 3, 3]


def test_missing_classes_are_padded_with_zeros() -> None:
    """Without a missing class the array is returned uncopied."""
    values = np.ones((2, 2))
    assert pad_classes(values, 3).tolist() == [[1, 1, 0], [1, 1, 0]]
    assert pad_classes(values, 2) is values


def test_model_that_hangs_is_not_run_for_each_sample(tmp_path: Path) -> None:
    """Its breaker opens; the rows are faults, and the samples of other models wait no longer."""
    model = OnnxModel(looping(tmp_path / "l.onnx", width=2))
    limit_runs(model, 0.1)
    hanging = detach(model)
    pair = replace(watched(tmp_path), models=dict.fromkeys(Role, hanging))
    answer = np.array([[0.25, 0.75]], np.float32)
    rows = [sample(pair, [[1e12, 0.0]], number=number, outputs=answer) for number in range(200)]
    parts, began = [SampleBatch.from_samples(rows)], time.monotonic()
    shadow = run_shadow(pair, parts, *served(pair, parts))
    assert time.monotonic() - began < 10.0
    assert shadow.fault.tolist() == [Fault.RUN_FAILED] * 200
    assert isinstance(hanging, DetachedModel)
    assert hanging.runs.breaker.take_expired() == MAX_EXPIRED


def test_one_sample_that_hangs_spoils_no_other(tmp_path: Path) -> None:
    """It is a fault; the others of its run answer."""
    model = OnnxModel(looping(tmp_path / "l.onnx", width=2))
    limit_runs(model, 0.2)
    pair = replace(watched(tmp_path), models=dict.fromkeys(Role, detach(model)))
    answer, values = np.array([[0.25, 0.75]], np.float32), [1.0, 1e12, 1.0, 1.0]
    rows = [sample(pair, [[value, 0.0]], number=number, outputs=answer) for number, value in enumerate(values)]
    parts = [SampleBatch.from_samples(rows)]
    shadow = run_shadow(pair, parts, *served(pair, parts))
    assert shadow.fault.tolist() == [0, Fault.RUN_FAILED, 0, 0]


def test_rows_of_a_run_are_few_before_any_was_measured(tmp_path: Path) -> None:
    """A large run of a slow model would pass the deadline although the model is sound."""
    pair = watched(tmp_path)
    apart = replace(pair, models={role: detach(OnnxModel(tmp_path / f"{role}.onnx")) for role in Role})
    assert [one.max_run_rows(Role.BASELINE) for one in (pair, apart)] == [
        inference.MAX_SHADOW_RUN_ROWS,
        UNMEASURED_ROWS,
    ]
