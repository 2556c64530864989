"""A batch of samples holds the values of each of them."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cluster.wire_records import bit_identical, sample_lists
from tests.support.wired_samples import split_samples
from tightrope.monitors.intake.sample_batch import SampleBatch, batch_key, concatenate_tensors
from tightrope.monitors.records import Role, Sample


def sample(number: int, rows: int, served_by: Role = Role.COMPRESSED) -> Sample:
    """Build a sample whose every value depends on its number."""
    return Sample(
        model="m",
        request_id=f"r-{number}",
        time=1000.0 + number,
        served_by=served_by,
        baseline_digest="b",
        compressed_digest="c",
        inputs={"x": np.full((rows, 2), number, np.float32), "word": np.full((rows, 1), f"w{number}", object)},
        outputs={"p": np.full((rows, 3), number, np.float16)},
        scopes=("a=b", "c=d"),
        member=np.full((rows, 2), number % 2, dtype=bool),
        draw=number / 10,
        inclusion=1.0,
        seconds=number / 100,
    )


def column(samples: SampleBatch, name: str) -> npt.NDArray[np.generic]:
    """Return one column of a batch."""
    return np.asarray(getattr(samples, name))


def test_shared_fields_are_stored_once_and_rows_are_in_order() -> None:
    """Columns have one entry per sample, tensors one row per row."""
    samples = SampleBatch.from_samples([sample(1, 2), sample(2, 1, Role.BASELINE), sample(3, 3)])
    assert (samples.model, samples.baseline_digest, samples.compressed_digest) == ("m", "b", "c")
    assert samples.scopes == ("a=b", "c=d")
    assert (len(samples), samples.request_id) == (3, ("r-1", "r-2", "r-3"))
    expected = {
        "rows": [2, 1, 3],
        "time": [1001.0, 1002.0, 1003.0],
        "served_by_baseline": [False, True, False],
        "draw": [0.1, 0.2, 0.3],
        "inclusion": [1.0, 1.0, 1.0],
        "seconds": [0.01, 0.02, 0.03],
    }
    assert {name: column(samples, name).tolist() for name in expected} == expected
    assert [column(samples, name).dtype for name in expected] == [np.dtype(t) for t in ["q", "d", "?", "d", "d", "d"]]
    assert samples.member[:, 0].tolist() == [True, True, False, True, True, True]
    assert samples.inputs["x"][:, 1].tolist() == [1, 1, 2, 3, 3, 3]
    assert samples.inputs["word"].ravel().tolist() == ["w1", "w1", "w2", "w3", "w3", "w3"]
    assert samples.outputs["p"].dtype == np.float16


@given(sample_lists())
def test_batch_can_be_split_into_its_samples(samples_: list[Sample]) -> None:
    """Each sample has its own values only."""
    assert bit_identical(list(split_samples(SampleBatch.from_samples(samples_))), samples_)


@given(samples_=sample_lists(), data=st.data())
def test_selected_samples_equal_the_originals(samples_: list[Sample], data: st.DataObject) -> None:
    """Unselected samples leave no trace."""
    size = len(samples_)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool)
    taken = SampleBatch.from_samples(samples_).take(chosen)
    assert bit_identical(list(split_samples(taken)), [one for one, kept in zip(samples_, chosen, strict=True) if kept])


def test_group_key_ignores_the_tensors() -> None:
    """Samples of one pair are compared in one batch, even if their tensor layouts differ."""
    wide = replace(sample(1, 1), inputs={"x": np.zeros((1, 9))})
    assert (
        SampleBatch.from_samples([wide]).group_key
        == SampleBatch.from_samples([sample(1, 1)]).group_key
        == ("m", "b", "c", ("a=b", "c=d"))
    )


def test_batch_key_covers_model_artefacts_scopes_and_layout() -> None:
    """The number of rows, the role that answered and the times may differ."""
    sample_ = replace(sample(1, 1), inputs={"x": np.zeros((1, 2))})
    sample_lists = {
        "request_id": "2",
        "served_by": Role.BASELINE,
        "draw": 0.1,
        "time": 9.0,
        "inputs": {"x": np.ones((3, 2))},
    }
    assert batch_key(replace(sample_, **sample_lists)) == batch_key(sample_)  # type: ignore[arg-type]
    others = {"model": "n", "baseline_digest": "b2", "compressed_digest": "c2", "scopes": ("e=f",)}
    other_tensors = {
        "another name": {"y": np.zeros((1, 2))},
        "another side": {"x": np.zeros((1, 3))},
        "another datatype": {"x": np.zeros((1, 2), np.float32)},
        "strings": {"x": np.full((1, 2), "", object)},
        "one more": {"x": np.zeros((1, 2)), "y": np.zeros((1, 2))},
    }
    for name, value in others.items():
        assert batch_key(replace(sample_, **{name: value})) != batch_key(sample_)  # type: ignore[arg-type]
    for tensors in other_tensors.values():
        assert batch_key(replace(sample_, inputs=tensors)) != batch_key(sample_)
        assert batch_key(replace(sample_, outputs=tensors)) != batch_key(replace(sample_, outputs=sample_.inputs))


def test_batch_key_separates_inputs_from_outputs() -> None:
    """One tensor as an input or as an output gives different keys."""
    one = replace(sample(1, 1), inputs={"x": np.zeros((1, 2))}, outputs={})
    assert batch_key(one) != batch_key(replace(one, inputs={}, outputs=one.inputs))


@given(samples_=sample_lists(), data=st.data())
def test_samples_and_batches_are_concatenated_in_order(samples_: list[Sample], data: st.DataObject) -> None:
    """The parts may be single samples or batches."""
    parts: list[Sample | SampleBatch] = []
    left = samples_
    while left:
        count = data.draw(st.integers(1, len(left)))
        together = count > 1 or data.draw(st.booleans())
        parts += [SampleBatch.from_samples(left[:count])] if together else left[:count]
        left = left[count:]
    assert {batch_key(part) for part in parts} == {batch_key(samples_[0])}
    assert bit_identical(list(split_samples(SampleBatch.concatenate(parts))), samples_)


def test_single_sample_is_not_copied() -> None:
    """An image need not be in memory twice."""
    one = sample(1, 1)
    assert SampleBatch.from_samples([one]).inputs["x"] is one.inputs["x"]
    joined = concatenate_tensors([one.inputs, sample(2, 2).inputs])
    assert joined["x"][:, 0].tolist() == [1, 2, 2]
