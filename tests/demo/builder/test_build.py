"""The pure parts of the builder: gradients, pruning, the encoding, the graph and the sampling of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tightrope.demo.builder import networks
from tightrope.demo.builder.census import ATTRIBUTES, SURVEY_COLUMNS, Attribute, Ramp, draw

WHY = "a library of the builder is not installed (demo/builder/requirements.lock)"
pytest.importorskip("onnx", reason=WHY)

import onnxruntime  # noqa: E402 - after the skip, like all that needs the builder's libraries

from tightrope.demo.builder import graph  # noqa: E402

SCHEDULE = networks.Schedule(epochs=10, seed=5, step=1e-2, decay=0.1, batch=16)


def some_codes(rows: int) -> npt.NDArray[np.int16]:
    """Random codes that have a value in each attribute: int16[rows, 16]."""
    random = np.random.default_rng(7)
    codes = random.integers(1, 3, (rows, len(SURVEY_COLUMNS))).astype(np.int16)
    codes[:, SURVEY_COLUMNS.index("AGEP")] = random.integers(16, 96, rows)
    codes[:, SURVEY_COLUMNS.index("RELP")] = random.integers(0, 18, rows)
    return codes


def some_network(*widths: int) -> networks.Network:
    """A random network with non-zero biases."""
    network = networks.new(widths, seed=3)
    random = np.random.default_rng(4)
    return networks.Network(
        network.weights, tuple(random.normal(size=width).astype(np.float32) for width in widths[1:])
    )


def onnx_probabilities(model: bytes, codes: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Run a model in onnxruntime: float32[n, 2]."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"input": codes.astype(np.float32)})[0])


def test_graph_equals_the_network() -> None:
    """Raw codes in onnxruntime and encoded features in numpy agree to 1e-5."""
    codes = some_codes(200)
    encoding = graph.Encoding.fit(codes)
    network = some_network(encoding.width, 12, 5, 1)
    found = onnx_probabilities(graph.build_model(network, encoding).SerializeToString(), codes)
    assert found[:, 1] == pytest.approx(network.probability(encoding.features(codes)), abs=1e-5)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_int8_file_is_near_the_network(tmp_path: Path) -> None:
    """Eight bits change a probability by at most a few hundredths here, and names stay."""
    codes = some_codes(200)
    encoding = graph.Encoding.fit(codes)
    model = graph.build_model(some_network(encoding.width, 12, 1), encoding)
    graph.write_int8(model, tmp_path / "int8.onnx")
    exact = onnx_probabilities(model.SerializeToString(), codes)
    assert onnx_probabilities((tmp_path / "int8.onnx").read_bytes(), codes) == pytest.approx(exact, abs=0.05)


def test_features_are_scaled_age_and_one_indicator_a_column() -> None:
    """The age has mean 0 and deviation 1; each other column sets exactly one indicator."""
    codes = some_codes(300)
    features = graph.Encoding.fit(codes).features(codes)
    assert features[:, 0].mean() == pytest.approx(0, abs=1e-5)
    assert features[:, 0].std() == pytest.approx(1, abs=1e-5)
    assert (features[:, 1:].sum(axis=1) == len(SURVEY_COLUMNS) - 1).all()


def test_unseen_code_sets_no_indicator() -> None:
    """A code that was not in the fitted rows is no error."""
    codes = some_codes(50)
    encoding = graph.Encoding.fit(codes)
    codes[0, SURVEY_COLUMNS.index("SCHL")] = 24
    assert encoding.features(codes)[0, 1:].sum() == len(SURVEY_COLUMNS) - 2


def test_gradients_equal_finite_differences() -> None:
    """Back-propagation equals the slope of the cross-entropy, for weights and biases of all layers."""
    network = some_network(6, 5, 4, 1)
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(40, 6)).astype(np.float32), random.random(40).astype(np.float32)
    found = networks.gradients(network, features, targets)

    def loss() -> float:
        p = network.probability(features).astype(float)
        return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())

    for value, gradient in zip([*network.weights, *network.biases], found, strict=True):
        at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        kept, ends = value[at], []
        for side in (1e-2, -1e-2):
            value[at] = kept + side
            ends.append(loss())
        value[at] = kept
        assert (ends[0] - ends[1]) / 2e-2 == pytest.approx(gradient[at], rel=0.02)


def test_training_lowers_the_loss_and_leaves_its_start_alone() -> None:
    """A learnable rule is learnt, and the given network is not changed."""
    features = np.random.default_rng(2).normal(size=(800, 6)).astype(np.float32)
    targets = (features[:, 0] > features[:, 1]).astype(np.float32)
    start = some_network(6, 8, 1)
    before = [value.copy() for value in start.weights]
    trained = networks.train(start, features, targets, SCHEDULE)
    assert ((trained.probability(features) > 0.5) == targets).mean() > 0.95
    assert all((old == new).all() for old, new in zip(before, start.weights, strict=True))


def test_training_twice_gives_the_same_bytes() -> None:
    """All random choices come from the schedule's seed."""
    features = np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32)
    once, again = (networks.train(some_network(6, 8, 1), features, features[:, 0] * 0, SCHEDULE) for _ in range(2))
    assert [value.tobytes() for value in once.weights] == [value.tobytes() for value in again.weights]


def test_pruning_removes_98_percent_of_the_weights_the_smallest_first() -> None:
    """Two weights in a hundred stay, and each is larger than all removed ones."""
    network = some_network(60, 50, 40, 1)
    sparse = networks.pruned(network, 0.98)
    before, after = (np.concatenate([w.ravel() for w in net.weights]) for net in (network, sparse))
    assert (after == 0).mean() == pytest.approx(0.98, abs=1 / len(after))
    assert np.abs(before[after == 0]).max() <= np.abs(after[after != 0]).min()


def test_pruned_weights_stay_zero_through_fine_tuning() -> None:
    """Fine-tuning changes only the remaining weights."""
    features = np.random.default_rng(2).normal(size=(200, 20)).astype(np.float32)
    sparse = networks.pruned(some_network(20, 16, 1), 0.7)
    tuned = networks.train(sparse, features, (features[:, 0] > 0).astype(np.float32), SCHEDULE)
    for before, after in zip(sparse.weights, tuned.weights, strict=True):
        assert (after[before == 0] == 0).all()
        assert (after[before != 0] != before[before != 0]).all()


def test_dead_units_go_and_the_function_stays() -> None:
    """There are fewer units and equal probabilities."""
    sparse = networks.pruned(some_network(20, 64, 32, 1), 0.95)
    features = np.random.default_rng(2).normal(size=(100, 20)).astype(np.float32)
    small = networks.without_dead_units(sparse)
    assert len(small.biases[0]) < 64
    assert small.probability(features) == pytest.approx(sparse.probability(features), abs=1e-5)


def test_no_person_is_drawn_twice() -> None:
    """Golden rows, stable and drifting traffic are disjoint, and come only from the offered rows."""
    household = np.random.default_rng(1).random(40_000) < 0.9
    offered = np.arange(8_000, 40_000)
    drawn = draw(household, offered, Ramp(), seed=1)
    rows = np.concatenate([drawn.golden, drawn.stable, drawn.drift])
    assert (len(drawn.golden), len(drawn.stable), len(drawn.drift)) == (4_000, 6_000, 6_000)
    assert len(np.unique(rows)) == len(rows)
    assert np.isin(rows, offered).all()


def test_drift_follows_the_ramp() -> None:
    """The share outside households equals that of the ramp in each thousand rows, within chance."""
    household = np.random.default_rng(1).random(40_000) < 0.9
    drift = draw(household, np.arange(40_000), Ramp(0.1, 0.5), seed=1).drift
    shares = (~household[drift]).reshape(-1, 1_000).mean(axis=1)
    assert shares == pytest.approx(Ramp(0.1, 0.5).shares(6_000).reshape(-1, 1_000).mean(axis=1), abs=0.06)


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: str(attribute.name))
def test_no_code_has_two_values(attribute: Attribute) -> None:
    """The values of an attribute do not overlap."""
    members = [code for codes in attribute.values.values() for code in codes]
    assert len(members) == len(set(members))


def test_wheel_with_another_digest_is_refused(tmp_path: Path) -> None:
    """The committed figures hold for one survey file only."""
    pytest.importorskip("pyarrow", reason=WHY)
    from tightrope.demo.builder import source

    wheel = tmp_path / "other.whl"
    wheel.write_bytes(b"not the survey")
    with pytest.raises(source.SourceError, match="expected cf5f4a33"):
        source.read(wheel)


def test_missing_wheel_is_reported_in_one_line(tmp_path: Path) -> None:
    """There is no traceback from a zip reader."""
    pytest.importorskip("pyarrow", reason=WHY)
    from tightrope.demo.builder import source

    with pytest.raises(source.SourceError, match="no such wheel"):
        source.read(tmp_path / "absent.whl")
