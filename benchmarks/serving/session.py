"""An onnxruntime session on one thread, for all servers other than Tightrope."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

Rows = npt.NDArray[np.float32]
RunModel = Callable[[Rows], Rows]
"""Rows (n, features) to probabilities (n, classes)."""


def session(path: Path | str) -> RunModel:
    """Load a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(rows: Rows) -> Rows:
        answer: Rows = model.run(["probabilities"], {"input": rows})[0]
        return answer

    return run
