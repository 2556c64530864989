"""The encoding of the survey's codes, for training and inside each ONNX graph, so that all models take the same row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from tightrope.demo.builder.census import SURVEY_COLUMNS, SurveyCodes
from tightrope.demo.builder.networks import Float32Array, Network

AGE = SURVEY_COLUMNS.index("AGEP")
# Supported by onnxruntime since 1.14, and new enough for all operators of the graph.
OPSET = 17
IR_VERSION = 8


@dataclass(frozen=True)
class Encoding:
    """Standardised age, then one indicator for each code of each other column.

    A code that `fit` did not see sets no indicator.

    Attributes:
        columns: int64[k], the column of each indicator.
        codes: float32[k], the code of each indicator.
        mean: mean age in years.
        deviation: standard deviation of the age in years.
    """

    columns: npt.NDArray[np.int64]
    codes: Float32Array
    mean: float
    deviation: float

    @classmethod
    def fit(cls, codes: SurveyCodes) -> Encoding:
        """Build the encoding that covers all codes of these rows, int16[n, 16]."""
        others = [column for column in range(len(SURVEY_COLUMNS)) if column != AGE]
        seen = [(column, code) for column in others for code in np.unique(codes[:, column])]
        columns, indicated = zip(*seen, strict=True)
        ages = codes[:, AGE]
        return cls(np.array(columns), np.array(indicated, np.float32), float(ages.mean()), float(ages.std()))

    @property
    def width(self) -> int:
        """Number of features."""
        return 1 + len(self.columns)

    def features(self, codes: SurveyCodes) -> Float32Array:
        """Encode rows for the network: int16[n, 16] -> float32[n, width]."""
        age = (codes[:, [AGE]].astype(np.float32) - np.float32(self.mean)) / np.float32(self.deviation)
        return np.concatenate([age, codes[:, self.columns] == self.codes], axis=1, dtype=np.float32)


def build_model(network: Network, encoding: Encoding) -> onnx.ModelProto:
    """Build the ONNX model: `input` float32[batch, 16], codes in the order of `SURVEY_COLUMNS`, -> `probabilities`
    float32[batch, 2].
    """
    constants: dict[str, npt.NDArray[np.generic]] = {
        "age_column": np.array([AGE]),
        "age_mean": np.array([encoding.mean], np.float32),
        "age_deviation": np.array([encoding.deviation], np.float32),
        "indicator_columns": encoding.columns,
        "indicator_codes": encoding.codes,
    }
    nodes = [
        helper.make_node("Gather", ["input", "age_column"], ["age"], axis=1),
        helper.make_node("Sub", ["age", "age_mean"], ["age_centred"]),
        helper.make_node("Div", ["age_centred", "age_deviation"], ["age_scaled"]),
        helper.make_node("Gather", ["input", "indicator_columns"], ["looked_at"], axis=1),
        helper.make_node("Equal", ["looked_at", "indicator_codes"], ["found"]),
        helper.make_node("Cast", ["found"], ["indicators"], to=TensorProto.FLOAT),
        helper.make_node("Concat", ["age_scaled", "indicators"], ["layer_0"], axis=1),
    ]
    # softmax([0, z]) is (1 - sigmoid(z), sigmoid(z)): the network's one logit, as two probabilities.
    weights = [*network.weights[:-1], np.pad(network.weights[-1], ((0, 0), (1, 0)))]
    biases = [*network.biases[:-1], np.pad(network.biases[-1], (1, 0))]
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        last = layer == len(weights) - 1
        constants |= {f"weight_{layer}": weight, f"bias_{layer}": bias}
        nodes += [
            helper.make_node("MatMul", [f"layer_{layer}", f"weight_{layer}"], [f"product_{layer}"]),
            helper.make_node("Add", [f"product_{layer}", f"bias_{layer}"], [f"sum_{layer}"]),
            helper.make_node("Softmax", [f"sum_{layer}"], ["probabilities"], axis=1)
            if last
            else helper.make_node("Relu", [f"sum_{layer}"], [f"layer_{layer + 1}"]),
        ]
    return _checked(nodes, constants)


def _checked(nodes: list[onnx.NodeProto], constants: dict[str, npt.NDArray[np.generic]]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "employed",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", len(SURVEY_COLUMNS)])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph,
        producer_name="tightrope.demo.builder",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_int8(model: onnx.ModelProto, path: Path) -> None:
    """Write the model with 8-bit weights and dynamically quantized activations, which need no calibration rows.

    Both are unsigned: processors without VNNI instructions overflow on unsigned times signed, and the demo's models
    must give the same output on all machines.
    """
    # onnxruntime logs the advice to pre-process the model first; this graph has nothing to fold.
    quantize_dynamic(model, path, weight_type=QuantType.QUInt8)
