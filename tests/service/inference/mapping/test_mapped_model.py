"""A mapped model stands for the loaded one in everything else, too."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.mapped_pairs import ROWS, network
from tests.support.serving.service_harness import pair_of
from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import Model, host_class_of, loaded_model, replace_loaded
from tightrope.service.adapters.runs.detached import DetachedModel, detach
from tightrope.service.adapters.runs.watched_runs import runs_of
from tightrope.service.inference.mapping.mapped_model import MappedModel


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """The compressed model of a pair whose input has another name."""
    compressed = network(tmp_path / "c.onnx", x="input_1")
    return pair_of(tmp_path, baseline=network(tmp_path / "b.onnx"), compressed=compressed).models[Role.COMPRESSED]


def test_digest_host_and_deadline_are_those_of_the_loaded_model(model: Model) -> None:
    """Nothing is written, so the files tell everything."""
    loaded = loaded_model(model)
    assert isinstance(model, MappedModel)
    assert loaded is not model
    assert (model.digest, host_class_of(model)) == (loaded.digest, host_class_of(loaded))
    assert runs_of(model) is runs_of(loaded) is not None


def test_worker_runs_it_with_a_breaker_of_its_own(model: Model) -> None:
    """The copy maps as well, and the serving model keeps its own runs."""
    before = runs_of(model)
    detached = detach(model)
    assert isinstance(detached, DetachedModel)
    assert np.array_equal(detached.run({"x": ROWS}, ["p"])["p"], model.run({"x": ROWS}, ["p"])["p"])
    assert runs_of(model) is before
    assert detached.runs is not before


def test_loaded_model_can_be_replaced_behind_the_mapping(tmp_path: Path, model: Model) -> None:
    """As for a remote model with a breaker of its own."""
    other = network(tmp_path / "o.onnx", 0.5, x="input_1")
    loaded = pair_of(tmp_path, baseline=other, compressed=other).models[Role.BASELINE]
    mapped = replace_loaded(model, loaded)
    assert loaded_model(mapped) is loaded
    assert np.array_equal(mapped.run({"x": ROWS}, ["p"])["p"], loaded.run({"input_1": ROWS}, ["p"])["p"])
    assert replace_loaded(loaded, loaded) is loaded
