from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cluster.wire_records import same
from tests.support.samples import Counted, runs, sample, watched
from tightrope.monitors.records import Comparisons, Role, Sample, Tensors
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.ports import Model, Record, RunFailedError
from tightrope.shadow.comparison import Taken, compared
from tightrope.shadow.inference import Watched

Rows = npt.NDArray[np.float64]


class Fickle(Counted):
    """A baseline that says something else every other run; or, of what it is told to fail on, nothing."""

    def __init__(self, model: Model, fails_from: int | None = None) -> None:
        super().__init__(model)
        self.fails_from = fails_from

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """The classes turned round with every run."""
        said = super().run(inputs, outputs)
        if self.fails_from is not None and len(self.runs) >= self.fails_from:
            raise RunFailedError("no more")
        return {name: np.roll(value, len(self.runs), axis=1) for name, value in said.items()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """The same, for many examples."""
    return watched(tmp_path_factory.mktemp("models"))


@pytest.fixture
def of(tmp_path: Path) -> Watched:
    """A pair of small classifiers."""
    return watched(tmp_path)


def batch(of: Watched, *samples: Sample) -> Comparisons:
    """What the shadow makes of these samples, which are alike."""
    taken = [Taken(Samples.of([one]), Record("samples", 0, place, None, b"")) for place, one in enumerate(samples)]
    (found,) = compared(of, taken, "log-1")
    return found.comparisons


def rows(n: int, seed: int = 0) -> Rows:
    """Input rows."""
    return np.asarray(np.random.default_rng(seed).normal(size=(n, 2)))


def test_class_of_each_model_stands_in_its_column(of: Watched) -> None:
    """Whoever served; -1 where a row could not be read."""
    given = rows(20)
    said = {
        role: model.run({"input": given.astype(np.float32)}, ["probabilities"]) for role, model in of.models.items()
    }
    wanted = {role: answer["probabilities"].argmax(axis=1).tolist() for role, answer in said.items()}
    for served_by in Role:
        found = batch(of, sample(of, given, served_by=served_by))
        assert found.top_baseline.tolist() == wanted[Role.BASELINE]
        assert found.top_compressed.tolist() == wanted[Role.COMPRESSED]
    nothing = np.full((1, 3), np.nan, np.float32)
    found = batch(of, sample(of, given[:1], outputs=nothing), sample(of, given[:1]))
    assert found.top_compressed.tolist() == [-1, wanted[Role.COMPRESSED][0]]


def test_equal_inputs_are_twins_and_others_are_not(of: Watched) -> None:
    """A row has its own hash, whoever answered it, in whatever request; never that of an unknown input."""
    given = rows(3)
    found = batch(of, sample(of, given), sample(of, given[[2, 0]], served_by=Role.BASELINE, number=1))
    twins = found.twin.tolist()
    assert twins[3:] == [twins[2], twins[0]]
    assert len({*twins, 0}) == 4
    assert batch(of, sample(of, given)).twin.tolist() == twins[:3], "in another process too: it is no seeded hash"


def test_time_that_the_answer_took_goes_along(of: Watched) -> None:
    """To every row of the request."""
    first = replace(sample(of, rows(2)), seconds=0.25)
    found = batch(of, first, replace(sample(of, rows(1), number=1), seconds=float("nan")))
    assert found.seconds[:2].tolist() == [0.25, 0.25]
    assert np.isnan(found.seconds[2])


def test_truth_is_not_known_yet(of: Watched) -> None:
    """Labels come late."""
    found = batch(of, sample(of, rows(2)))
    assert np.isnan([found.correct_baseline, found.correct_compressed]).all()


@pytest.mark.parametrize(("share", "inclusion", "asked"), [(0.0, 1.0, 0), (0.5, 1.0, 2), (0.5, 0.5, 1), (1.0, 1.0, 4)])
@pytest.mark.parametrize("served_by", Role)
def test_baseline_is_asked_twice_of_the_share_that_is_configured(
    of: Watched, share: float, inclusion: float, asked: int, served_by: Role
) -> None:
    """By the sample's draw, as a share of those that are sampled; a sound baseline says the same again."""
    of = replace(of, noise_share=share)
    draws = [0.1, 0.3, 0.6, 0.9]
    made = [
        replace(sample(of, rows(1, n), served_by=served_by, number=n), draw=draw, inclusion=inclusion)
        for n, draw in enumerate(draws)
    ]
    runs(of, Role.BASELINE).clear()
    found = batch(of, *made)
    assert found.self_disagree[:asked].tolist() == [0.0] * asked
    assert np.isnan(found.self_disagree[asked:]).all()
    assert len(runs(of, Role.BASELINE)) == asked + (served_by is Role.COMPRESSED)


def fickle(of: Watched, fails_from: int | None = None) -> Watched:
    """The pair with a baseline that contradicts itself, and is always asked twice."""
    models = {**of.models, Role.BASELINE: Fickle(of.models[Role.BASELINE], fails_from)}
    return replace(of, models=models, noise_share=1.0)


def test_baseline_that_contradicts_itself_is_noted(of: Watched) -> None:
    """Row by row, of the model as of every sample."""
    of = fickle(of)
    found = batch(of, sample(of, rows(3)), sample(of, rows(2, 1), number=1))
    assert found.self_disagree.tolist()[:3] == [1.0] * 3
    assert not np.isnan(found.self_disagree).any()


def test_second_answer_that_fails_is_no_contradiction(of: Watched) -> None:
    """It is not known; the comparison itself stands."""
    of = fickle(of, fails_from=2)
    found = batch(of, sample(of, rows(3)))
    assert np.isnan(found.self_disagree).all()
    assert (found.fault == 0).all()


def test_answer_that_cannot_be_read_is_no_contradiction(of: Watched) -> None:
    """A fault is counted as such."""
    of = replace(of, noise_share=1.0)
    odd = sample(of, rows(1), served_by=Role.BASELINE, outputs=np.full((1, 3), np.nan, np.float32))
    assert np.isnan(batch(of, odd).self_disagree).all()


class Wider(Counted):
    """A baseline that knows one class more when it is asked again."""

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """Class upon class."""
        said = super().run(inputs, outputs)
        return {name: np.pad(value, ((0, 0), (0, len(self.runs) - 1))) for name, value in said.items()}


def test_second_answer_of_other_classes_is_no_contradiction(of: Watched) -> None:
    """It cannot be compared with the first."""
    of = replace(of, models={**of.models, Role.BASELINE: Wider(of.models[Role.BASELINE])}, noise_share=1.0)
    found = batch(of, sample(of, rows(3)))
    assert np.isnan(found.self_disagree).all()
    assert (found.fault == 0).all()


@settings(deadline=None, max_examples=40)
@given(
    made=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(Role)), min_size=1, max_size=12),
    cuts=st.sets(st.integers(1, 11)),
)
def test_records_are_places_and_no_more(pair: Watched, made: list[tuple[int, Role]], cuts: set[int]) -> None:
    """However samples are put into records, their rows are the same to the last bit; only offsets tell them apart."""
    of = replace(pair, noise_share=0.5)
    samples = [
        replace(sample(of, rows(n, place), served_by=by, number=place), draw=place / 12, inclusion=1 / (1 + place % 2))
        for place, (n, by) in enumerate(made)
    ]
    ends = sorted({0, len(samples), *(cut for cut in cuts if cut < len(samples))})
    taken = [
        Taken(Samples.of(samples[begin:end]), Record("samples", 0, begin, None, b"")) for begin, end in pairwise(ends)
    ]
    (found,) = compared(of, taken, "log-1")
    alone = batch(of, *samples)
    starts = [max(end for end in ends if end <= place) for place in range(len(samples))]
    assert found.comparisons.offset.tolist() == [starts[place] for place in alone.offset]
    assert same(replace(found.comparisons, offset=alone.offset), alone)
