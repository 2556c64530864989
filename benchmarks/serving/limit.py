"""Run a model in a loop without a server: `python -m benchmarks.serving.limit MODEL.onnx FEATURES BATCH SECONDS`."""

import json
import sys
import time

import numpy as np

from benchmarks.serving.session import session


def main(model: str, features: str, batch: str, seconds: str) -> None:
    """Print the rows answered, the wall seconds, and the CPU seconds, as JSON."""
    run, size = session(model), int(batch)
    rows = np.random.default_rng(0).normal(0.0, 1.0, (size, int(features))).astype(np.float32)
    run(rows)
    answered, used, began = 0, time.process_time(), time.perf_counter()
    while (elapsed := time.perf_counter() - began) < float(seconds):
        run(rows)
        answered += size
    print(json.dumps({"rows": answered, "seconds": elapsed, "cpu": time.process_time() - used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
