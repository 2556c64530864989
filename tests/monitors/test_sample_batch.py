"""Samples as columns say what each of them said."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cluster.wire_records import alike, same
from tests.support.wired_samples import apart
from tightrope.monitors.records import Role, Sample
from tightrope.monitors.sample_batch import Samples, below, kind_of


def sample(number: int, rows: int, served_by: Role = Role.COMPRESSED) -> Sample:
    """A sample whose every value tells its number."""
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


def column(samples: Samples, name: str) -> npt.NDArray[np.generic]:
    """One of its columns."""
    return np.asarray(getattr(samples, name))


def test_what_samples_share_stands_once_and_their_rows_lie_in_their_order() -> None:
    """Columns have an entry a sample, tensors a row a row."""
    samples = Samples.of([sample(1, 2), sample(2, 1, Role.BASELINE), sample(3, 3)])
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


@given(alike())
def test_each_sample_comes_back(given_samples: list[Sample]) -> None:
    """Whatever it held; nothing of its neighbours."""
    assert same(list(apart(Samples.of(given_samples))), given_samples)


@given(given_samples=alike(), data=st.data())
def test_some_samples_are_those_alone(given_samples: list[Sample], data: st.DataObject) -> None:
    """As if the others had never been there."""
    size = len(given_samples)
    chosen = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)), dtype=bool)
    taken = Samples.of(given_samples).take(chosen)
    assert same(list(apart(taken)), [one for one, kept in zip(given_samples, chosen, strict=True) if kept])


def test_kind_is_of_the_pair_and_not_of_the_tensors() -> None:
    """Whatever layout they have, samples of one pair are compared in one batch."""
    wide = replace(sample(1, 1), inputs={"x": np.zeros((1, 9))})
    assert Samples.of([wide]).kind == Samples.of([sample(1, 1)]).kind == ("m", "b", "c", ("a=b", "c=d"))


def test_samples_of_one_kind_share_model_artefacts_scopes_and_layout() -> None:
    """And differ in all else without harm: the number of rows, who answered, when."""
    usual = replace(sample(1, 1), inputs={"x": np.zeros((1, 2))})
    alike = {"request_id": "2", "served_by": Role.BASELINE, "draw": 0.1, "time": 9.0, "inputs": {"x": np.ones((3, 2))}}
    assert kind_of(replace(usual, **alike)) == kind_of(usual)  # type: ignore[arg-type]
    others = {"model": "n", "baseline_digest": "b2", "compressed_digest": "c2", "scopes": ("e=f",)}
    unlike = {
        "another name": {"y": np.zeros((1, 2))},
        "another side": {"x": np.zeros((1, 3))},
        "another datatype": {"x": np.zeros((1, 2), np.float32)},
        "strings": {"x": np.full((1, 2), "", object)},
        "one more": {"x": np.zeros((1, 2)), "y": np.zeros((1, 2))},
    }
    for name, value in others.items():
        assert kind_of(replace(usual, **{name: value})) != kind_of(usual)  # type: ignore[arg-type]
    for tensors in unlike.values():
        assert kind_of(replace(usual, inputs=tensors)) != kind_of(usual)
        assert kind_of(replace(usual, outputs=tensors)) != kind_of(replace(usual, outputs=usual.inputs))


def test_inputs_are_no_outputs() -> None:
    """The same tensor on the other side is another kind."""
    one = replace(sample(1, 1), inputs={"x": np.zeros((1, 2))}, outputs={})
    assert kind_of(one) != kind_of(replace(one, inputs={}, outputs=one.inputs))


@given(given_samples=alike(), data=st.data())
def test_samples_and_columns_of_them_are_joined_in_their_order(
    given_samples: list[Sample], data: st.DataObject
) -> None:
    """However they were put together before."""
    parts: list[Sample | Samples] = []
    left = given_samples
    while left:
        count = data.draw(st.integers(1, len(left)))
        together = count > 1 or data.draw(st.booleans())
        parts += [Samples.of(left[:count])] if together else left[:count]
        left = left[count:]
    assert {kind_of(part) for part in parts} == {kind_of(given_samples[0])}
    assert same(list(apart(Samples.joined(parts))), given_samples)


def test_one_sample_is_not_copied() -> None:
    """An image need not lie in memory twice."""
    one = sample(1, 1)
    assert Samples.of([one]).inputs["x"] is one.inputs["x"]
    joined = below([one.inputs, sample(2, 2).inputs])
    assert joined["x"][:, 0].tolist() == [1, 2, 2]
