"""Pairs made of models that three public wheels hold: a reader of text in images, a voice detector, file types."""

import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.configs import ROOT
from tests.support.kinds.onnx_graphs import FLOAT, node, pruned, with_weights

WHEELS = ROOT / ".wheels"
OCR, VOICE = "rapidocr/models", "silero_vad/data"
IMAGE = (48, 192, 3)

Convert = Callable[[Path, Path], object]


@cache
def wheels() -> Path:
    """The folder of the unpacked wheels, which `make test` installs; without it the test is skipped."""
    if not (WHEELS / "run.stamp").exists():
        pytest.skip("the models of public wheels are not installed: `make .wheels/run.stamp` installs them")
    return WHEELS


def int8(source: Path, target: Path) -> None:
    """Quantize weights, and what runs through them at run time. Shapes that the exporter noted are left out: those of
    the voice detector contradict what onnx infers.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(str(source))
    del model.graph.value_info[:]
    quantize_dynamic(model, str(target), weight_type=QuantType.QInt8)


def static_int8(source: Path, target: Path) -> None:
    """Quantize with ranges that were measured on 16 images."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    images = np.random.default_rng(0).integers(0, 256, (16, *IMAGE)).astype(np.uint8)

    class Images(CalibrationDataReader):
        """Four runs of four images."""

        def __init__(self) -> None:
            self._left: Iterator[dict[str, np.ndarray]] = iter([{"image": images[i : i + 4]} for i in range(0, 16, 4)])

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next run."""
            return next(self._left, None)

    quantize_static(str(source), str(target), Images(), quant_format=QuantFormat.QDQ, per_channel=True)


def fp16(source: Path, target: Path) -> None:
    """Convert to FP16 with FP32 outside."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(str(source)), keep_io_types=True), str(target))


def of_wheel(folder: Path, file: str, convert: Convert) -> None:
    """A file of a wheel, and what a conversion makes of it."""
    source = wheels() / file
    shutil.copyfile(source, folder / "baseline.onnx")
    convert(source, folder / "compressed.onnx")


def copy_of(file: str) -> Convert:
    """The conversion that takes another file of a wheel."""
    return lambda _, target: shutil.copyfile(wheels() / file, target)


def pruned_weights(source: Path, target: Path) -> None:
    """Prune four fifths of each large tensor of weights."""
    with_weights(source, target, pruned(0.8), above=1000)


def of_bytes(source: Path, target: Path) -> None:
    """Take images (rows, height, width, colour) of UINT8, and normalize them inside the model."""
    model = onnx.load(str(source))
    graph = model.graph
    name = graph.input[0].name
    for each in graph.node:
        each.input[:] = ["x_norm" if one == name else one for one in each.input]
    before = [
        node("Cast", ["image"], "xf", to=FLOAT),
        node("Transpose", ["xf"], "xt", perm=[0, 3, 1, 2]),
        node("Div", ["xt", "c127"], "xd"),
        node("Sub", ["xd", "one_"], "x_norm"),
    ]
    for each in reversed(before):
        graph.node.insert(0, each)
    constants = (np.float32(127.5), "c127"), (np.float32(1), "one_")
    graph.initializer.extend([numpy_helper.from_array(np.asarray(value), name) for value, name in constants])
    del graph.input[0]
    graph.input.insert(0, helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *IMAGE]))
    onnx.save(model, str(target))


def direction_pair(folder: Path, convert: Convert = int8) -> None:
    """The classifier of the direction of a line of text."""
    of_wheel(folder, f"{OCR}/ch_ppocr_mobile_v2.0_cls_mobile.onnx", convert)


def direction_pair_of_bytes(folder: Path, *, static: bool = False) -> None:
    """It with images of bytes; dynamic int8, or static."""
    direction_pair(folder, int8)
    plain = folder / "plain.onnx"
    for role in ("baseline", "compressed"):
        file = folder / f"{role}.onnx"
        file.rename(plain)
        of_bytes(plain, file)
        plain.unlink()
    if static:
        (folder / "compressed.onnx").unlink()
        static_int8(folder / "baseline.onnx", folder / "compressed.onnx")
