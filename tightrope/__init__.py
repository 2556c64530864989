"""Tightrope: serve a compressed model, shadow its baseline, and fall back where the compressed one does harm."""

import os

__version__ = "0.1.0"

TELEMETRY_VARIABLE = "ORT_DISABLE_TELEMETRY"
THREADS_VARIABLE = "OPENBLAS_NUM_THREADS"

# onnxruntime sends telemetry from Linux by default from 1.29 on. It reads this once, when it is imported, which no
# module of ours can do before this one; processes that are started here inherit it.
os.environ.setdefault(TELEMETRY_VARIABLE, "1")

# numpy's products start a thread for each core, and these spin between the judge's small products, on the cores of the
# models. With one thread, sums are also added in the same order on every machine. numpy reads this when it is imported.
os.environ.setdefault(THREADS_VARIABLE, "1")
