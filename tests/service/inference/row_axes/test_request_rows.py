"""A model that takes a request as one row; test_written_rows.py serves it."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.serving.graph_models import FLOAT, graph, value
from tests.support.serving.model_pairs import HUGE
from tightrope.service.adapters.onnxruntime import OnnxModel
from tightrope.service.adapters.ports import RunFailedError
from tightrope.service.inference.row_axes.request_rows import RequestRowModel
from tightrope.service.inference.row_axes.row_layout import RowLayout


def test_answers_of_other_shapes_cannot_be_joined(tmp_path: Path) -> None:
    """As of detectors that find more in one picture: each runs alone then."""
    from onnx import helper

    found = [helper.make_node("NonZero", ["x"], ["at"]), helper.make_node("Cast", ["at"], ["p"], to=FLOAT)]
    path = graph(tmp_path / "m.onnx", found, [value("x", FLOAT, 3)], [value("p", FLOAT, 1, "k")])
    loaded = OnnxModel(Path(path))
    model = RequestRowModel(loaded, RowLayout(loaded.inputs, {"x": None}, is_request=True))
    assert model.outputs[0].shape == (-1, 1, -1)
    rows = np.array([[0, 1, HUGE], [0, 0, 1]], np.float32)
    assert model.run({"x": rows[:1]}, ["p"])["p"].tolist() == [[[1.0, 2.0]]]
    with pytest.raises(RunFailedError, match="do not fit together"):
        model.run({"x": rows}, ["p"])
