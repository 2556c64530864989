"""The answers of a host whose 8-bit products saturate, as x86 processors without VNNI compute them: on any host."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from tightrope.monitors.records import Floats, Tensors
from tightrope.service.adapters.cpu import cpu_name

Integers = npt.NDArray[Any]


def saturates_here() -> bool:
    """Whether this host is such a one."""
    return not any(flag in cpu_name() for flag in ("vnni", "amx_int8", "asimddp"))


class MatMulInteger(OpRun):
    """The product of uint8 and int8 by the instruction `vpmaddubsw`: it adds the products of two neighbours in int16,
    and what does not fit becomes its largest or smallest value.
    """

    op_domain = ""

    def _run(
        self, left: Integers, right: Integers, zero_left: Integers | int = 0, zero_right: Integers | int = 0
    ) -> tuple[Integers]:
        assert not np.any(zero_right), "weights are symmetric"
        padding = (0, right.shape[0] % 2)
        a = np.pad(left.astype(np.int32), ((0, 0), padding))
        b = np.pad(right.astype(np.int32), (padding, (0, 0)))
        int16 = np.iinfo(np.int16)
        pairs = [(row[:, None] * b).reshape(len(b) // 2, 2, -1).sum(axis=1) for row in a]
        sums = [np.clip(each, int16.min, int16.max).sum(axis=0) for each in pairs]
        return ((np.stack(sums) - np.int32(zero_left) * b.sum(axis=0)).astype(np.int32),)


def reference_answer(model: Path, rows: Tensors, output: str, *, saturates: bool) -> Floats:
    """Answer rows one a call, as `golden_answers.answer` does, by onnx's reference implementation."""
    evaluator = ReferenceEvaluator(str(model), new_ops=[MatMulInteger] if saturates else None)
    count = len(next(iter(rows.values())))
    runs = [evaluator.run([output], {name: each[i : i + 1] for name, each in rows.items()}) for i in range(count)]
    return np.concatenate([np.asarray(run[0], np.float32).ravel() for run in runs])
