from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cluster.wire_records import bit_identical
from tests.support.samples import CountingModel, runs, sample, watched
from tightrope.monitors.intake.sample_batch import SampleBatch
from tightrope.monitors.records import Comparisons, Role, Sample, Tensors
from tightrope.service.adapters.ports import Model, Record, RunFailedError
from tightrope.shadow.comparison import SampleRecord, compare_samples
from tightrope.shadow.inference import WatchedPair

Rows = npt.NDArray[np.float64]


class FickleModel(CountingModel):
    """A model whose output changes with each run, and which fails from a given run on."""

    def __init__(self, model: Model, fails_from: int | None = None) -> None:
        super().__init__(model)
        self.fails_from = fails_from

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """Rotate the classes by the number of runs."""
        outputs = super().run(inputs, outputs)
        if self.fails_from is not None and len(self.runs) >= self.fails_from:
            raise RunFailedError("no more")
        return {name: np.roll(value, len(self.runs), axis=1) for name, value in outputs.items()}


@pytest.fixture(scope="module")
def shared_pair(tmp_path_factory: pytest.TempPathFactory) -> WatchedPair:
    """Provide a pair of small classifiers, shared by many examples."""
    return watched(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pair(tmp_path: Path) -> WatchedPair:
    """Provide a pair of small classifiers."""
    return watched(tmp_path)


def batch(pair: WatchedPair, *samples: Sample) -> Comparisons:
    """Compare these samples, which have equal layouts."""
    taken = [
        SampleRecord(SampleBatch.from_samples([one]), Record("samples", 0, place, None, b""))
        for place, one in enumerate(samples)
    ]
    (found,) = compare_samples(pair, taken, "log-1")
    return found.comparisons


def rows(n: int, seed: int = 0) -> Rows:
    """Random input rows."""
    return np.asarray(np.random.default_rng(seed).normal(size=(n, 2)))


def test_class_of_each_model_is_in_its_column(pair: WatchedPair) -> None:
    """That holds for either serving role; the class is -1 where a row could not be read."""
    given = rows(20)
    outputs = {
        role: model.run({"input": given.astype(np.float32)}, ["probabilities"]) for role, model in pair.models.items()
    }
    wanted = {role: answer["probabilities"].argmax(axis=1).tolist() for role, answer in outputs.items()}
    for served_by in Role:
        found = batch(pair, sample(pair, given, served_by=served_by))
        assert found.top_baseline.tolist() == wanted[Role.BASELINE]
        assert found.top_compressed.tolist() == wanted[Role.COMPRESSED]
    nothing = np.full((1, 3), np.nan, np.float32)
    found = batch(pair, sample(pair, given[:1], outputs=nothing), sample(pair, given[:1]))
    assert found.top_compressed.tolist() == [-1, wanted[Role.COMPRESSED][0]]


def test_only_equal_inputs_have_equal_hashes(pair: WatchedPair) -> None:
    """The hash depends neither on the serving role nor on the request, and is never 0."""
    given = rows(3)
    found = batch(pair, sample(pair, given), sample(pair, given[[2, 0]], served_by=Role.BASELINE, number=1))
    twins = found.twin.tolist()
    assert twins[3:] == [twins[2], twins[0]]
    assert len({*twins, 0}) == 4
    assert batch(pair, sample(pair, given)).twin.tolist() == twins[:3], "in another process too: it is no seeded hash"


def test_latency_is_copied_to_each_row_of_the_request(pair: WatchedPair) -> None:
    """A NaN stays NaN."""
    first = replace(sample(pair, rows(2)), seconds=0.25)
    found = batch(pair, first, replace(sample(pair, rows(1), number=1), seconds=float("nan")))
    assert found.seconds[:2].tolist() == [0.25, 0.25]
    assert np.isnan(found.seconds[2])


def test_correctness_is_unknown_at_first(pair: WatchedPair) -> None:
    """Labels come later."""
    found = batch(pair, sample(pair, rows(2)))
    assert np.isnan([found.correct_baseline, found.correct_compressed]).all()


@pytest.mark.parametrize(
    ("share", "inclusion", "repeats"), [(0.0, 1.0, 0), (0.5, 1.0, 2), (0.5, 0.5, 1), (1.0, 1.0, 4)]
)
@pytest.mark.parametrize("served_by", Role)
def test_baseline_runs_twice_on_the_configured_share(
    pair: WatchedPair, share: float, inclusion: float, repeats: int, served_by: Role
) -> None:
    """It depends on the sample's draw, as a share of the sampled requests; a sound baseline agrees with itself."""
    pair = replace(pair, noise_share=share)
    draws = [0.1, 0.3, 0.6, 0.9]
    made = [
        replace(sample(pair, rows(1, n), served_by=served_by, number=n), draw=draw, inclusion=inclusion)
        for n, draw in enumerate(draws)
    ]
    runs(pair, Role.BASELINE).clear()
    found = batch(pair, *made)
    assert found.self_disagree[:repeats].tolist() == [0.0] * repeats
    assert np.isnan(found.self_disagree[repeats:]).all()
    assert len(runs(pair, Role.BASELINE)) == repeats + (served_by is Role.COMPRESSED)


def with_fickle_baseline(pair: WatchedPair, fails_from: int | None = None) -> WatchedPair:
    """The pair with a baseline that contradicts itself and always runs twice."""
    models = {**pair.models, Role.BASELINE: FickleModel(pair.models[Role.BASELINE], fails_from)}
    return replace(pair, models=models, noise_share=1.0)


def test_baseline_that_contradicts_itself_is_noted(pair: WatchedPair) -> None:
    """The contradiction is recorded per row."""
    pair = with_fickle_baseline(pair)
    found = batch(pair, sample(pair, rows(3)), sample(pair, rows(2, 1), number=1))
    assert found.self_disagree.tolist()[:3] == [1.0] * 3
    assert not np.isnan(found.self_disagree).any()


def test_second_answer_that_fails_is_no_contradiction(pair: WatchedPair) -> None:
    """The value is NaN; the comparison itself is sound."""
    pair = with_fickle_baseline(pair, fails_from=2)
    found = batch(pair, sample(pair, rows(3)))
    assert np.isnan(found.self_disagree).all()
    assert (found.fault == 0).all()


def test_answer_that_cannot_be_read_is_no_contradiction(pair: WatchedPair) -> None:
    """It counts as a fault."""
    pair = replace(pair, noise_share=1.0)
    odd = sample(pair, rows(1), served_by=Role.BASELINE, outputs=np.full((1, 3), np.nan, np.float32))
    assert np.isnan(batch(pair, odd).self_disagree).all()


class WideningModel(CountingModel):
    """A model with one more class in each run."""

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """Add a class per run."""
        outputs = super().run(inputs, outputs)
        return {name: np.pad(value, ((0, 0), (0, len(self.runs) - 1))) for name, value in outputs.items()}


def test_second_answer_of_other_classes_is_no_contradiction(pair: WatchedPair) -> None:
    """It cannot be compared with the first."""
    pair = replace(
        pair, models={**pair.models, Role.BASELINE: WideningModel(pair.models[Role.BASELINE])}, noise_share=1.0
    )
    found = batch(pair, sample(pair, rows(3)))
    assert np.isnan(found.self_disagree).all()
    assert (found.fault == 0).all()


@settings(deadline=None, max_examples=40)
@given(
    made=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(Role)), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
)
def test_grouping_into_records_changes_only_offsets(
    shared_pair: WatchedPair, made: list[tuple[int, Role]], cuts: set[int]
) -> None:
    """The rows are equal bit by bit for any grouping of the samples."""
    pair = replace(shared_pair, noise_share=0.5)
    samples = [
        replace(
            sample(pair, rows(n, place), served_by=by, number=place), draw=place / 12, inclusion=1 / (1 + place % 2)
        )
        for place, (n, by) in enumerate(made)
    ]
    ends = sorted({0, len(samples), *(cut for cut in cuts if cut < len(samples))})
    taken = [
        SampleRecord(SampleBatch.from_samples(samples[begin:end]), Record("samples", 0, begin, None, b""))
        for begin, end in pairwise(ends)
    ]
    (found,) = compare_samples(pair, taken, "log-1")
    alone = batch(pair, *samples)
    starts = [max(end for end in ends if end <= place) for place in range(len(samples))]
    assert found.comparisons.offset.tolist() == [starts[place] for place in alone.offset]
    assert bit_identical(replace(found.comparisons, offset=alone.offset), alone)
