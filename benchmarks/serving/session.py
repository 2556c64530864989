"""A model on one thread, for every server that is not ours."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

Rows = npt.NDArray[np.float32]
Run = Callable[[Rows], Rows]


def session(path: Path | str) -> Run:
    """Rows to probabilities."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(rows: Rows) -> Rows:
        answer: Rows = model.run(["probabilities"], {"input": rows})[0]
        return answer

    return run
