"""Samples alike share runs of the model that did not answer, whatever record they came in."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.samples import Counted, runs, sample, watched
from tightrope.monitors.compare import Reading, read
from tightrope.monitors.records import Fault, Role, Sample, Tensors
from tightrope.monitors.sample_batch import Samples
from tightrope.service.adapters.ports import RunFailedError, UnreachableError
from tightrope.shadow import inference
from tightrope.shadow.inference import Watched, answers, padded

LUCK = np.random.default_rng(3)


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A pair of small classifiers."""
    return watched(tmp_path_factory.mktemp("models"))


@pytest.fixture
def pair(tmp_path: Path) -> Watched:
    """A pair whose runs only this test counts."""
    return watched(tmp_path)


def said(of: Watched, parts: list[Samples]) -> tuple[Reading, npt.NDArray[np.int64]]:
    """What was answered, and by how many classes."""
    primary = read(np.concatenate([part.outputs[of.output] for part in parts]), of.decision.scale)
    return primary, np.full(len(primary.fault), primary.values.shape[1])


def other(of: Watched, one: Sample) -> npt.NDArray[np.float64]:
    """What the other model says to a sample that is asked alone."""
    return read(of.models[one.served_by.other].run(one.inputs, [of.output])[of.output], of.decision.scale).values


SIZES = st.lists(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Role)), min_size=1, max_size=4), min_size=1)


@given(records=SIZES, most=st.integers(1, 9), free=st.booleans())
@settings(deadline=None, max_examples=60)
def test_every_row_gets_its_own_answer(
    of: Watched,
    records: list[list[tuple[int, Role]]],
    most: int,
    free: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """However samples of both roles are spread over records, and wherever the runs are cut."""
    made = [[sample(of, LUCK.normal(size=(n, 2)), served_by=by) for n, by in record] for record in records]
    parts = [Samples.of(record) for record in made]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inference, "MOST_ROWS", most)
        shadow = answers(replace(of, free=free), parts, *said(of, parts))
    np.testing.assert_allclose(
        shadow.values, np.concatenate([other(of, one) for record in made for one in record]), atol=1e-6
    )
    assert not shadow.fault.any()


def test_run_is_as_large_as_it_may_be_and_no_larger(pair: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the ends of records; a sample is never cut, and one that is too large runs alone."""
    monkeypatch.setattr(inference, "MOST_ROWS", 4)
    parts = [Samples.of([sample(pair, np.ones((n, 2))) for n in rows]) for rows in ([1, 2], [1, 1, 3], [9], [4])]
    runs(pair, Role.BASELINE).clear()
    answers(pair, parts, *said(pair, parts))
    assert runs(pair, Role.BASELINE) == [4, 4, 9, 4]


def test_inputs_that_look_different_never_share_a_run(pair: Watched) -> None:
    """They could not lie one below the other; all others do, over the record between them."""
    usual = [Samples.of([sample(pair, np.ones((2, 2)))]) for _ in range(2)]
    odd = replace(usual[0], inputs={"input": np.zeros((2, 2), np.float64)})
    parts = [usual[0], odd, usual[1]]
    runs(pair, Role.BASELINE).clear()
    shadow = answers(pair, parts, *said(pair, parts))
    assert sorted(runs(pair, Role.BASELINE)) == [2, 4]
    assert shadow.fault.tolist() == [0, 0, Fault.RUN_FAILED, Fault.RUN_FAILED, 0, 0]
    assert np.isnan(shadow.values).all(axis=1).tolist() == [False, False, True, True, False, False]


class Away(Counted):
    """A model that fails, always in the same way."""

    def __init__(self, model: Counted, error: RunFailedError) -> None:
        super().__init__(model)
        self.error = error

    def run(self, inputs: Tensors, outputs: list[str]) -> Tensors:  # type: ignore[override]
        """It does not."""
        super().run(inputs, outputs)
        raise self.error


@pytest.mark.parametrize(("error", "asked"), [(RunFailedError("no"), [3, 2, 1]), (UnreachableError("gone"), [3])])
def test_nobody_is_asked_again_who_is_not_there(
    pair: Watched, error: RunFailedError, asked: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    """One that fails is asked for each sample alone, and each is told; one that is away would only be away again."""
    model = Away(pair.models[Role.BASELINE], error)  # type: ignore[arg-type]
    parts = [Samples.of([sample(pair, np.ones((rows, 2)), number=rows) for rows in (2, 1)])]
    shadow = answers(replace(pair, models={**pair.models, Role.BASELINE: model}), parts, *said(pair, parts))
    assert model.runs == asked
    assert shadow.fault.tolist() == [Fault.RUN_FAILED] * 3
    told = [record.args[1] for record in caplog.records if isinstance(record.args, tuple)]
    assert told == (["r-2", "r-1"] if len(asked) > 1 else [])


def test_another_number_of_classes_is_a_fault_of_those_rows(pair: Watched) -> None:
    """Fewer or more: the others, of the same run, are answered."""
    parts = [Samples.of([sample(pair, np.ones((3, 2)))])]
    primary, widths = said(pair, parts)
    for wide, wrong in ((3, [3, 2, 3]), (3, [3, 1, 3]), (2, [2, 2, 2])):
        like = Reading(primary.values[:, :wide], primary.fault)
        shadow = answers(pair, parts, like, np.array(wrong))
        assert shadow.fault.tolist() == [Fault.NONE if w == 3 else Fault.OUT_OF_RANGE for w in wrong]
        assert np.isnan(shadow.values[:, 0]).tolist() == [w != 3 for w in wrong]
    assert widths.tolist() == [3, 3, 3]


def test_missing_classes_are_filled_up_with_zeros() -> None:
    """And nothing is copied where none is missing."""
    values = np.ones((2, 2))
    assert padded(values, 3).tolist() == [[1, 1, 0], [1, 1, 0]]
    assert padded(values, 2) is values
