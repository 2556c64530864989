"""A baseline whose rows influence each other, though made-up rows did not show it, is found out by its second runs."""

from pathlib import Path

import numpy as np

from tests.support.configs import write_config
from tests.support.in_process import run_in_process
from tests.support.serving import row_models
from tests.support.serving.service_harness import eventually
from tightrope.service.inference.batching.sharing_watch import MIN_ASKED_TWICE


def test_influence_in_larger_runs_is_found_out(tmp_path: Path) -> None:
    """The worker compares many rows in a run; alone they get another decision. From then on all run apart."""
    path = str(row_models.swayed(tmp_path / "m.onnx"))
    pair = {"baseline": path, "compressed": path, "noise_share": 1.0, "mode": "advisory"}
    rows = np.random.default_rng(1).normal(0, 1, (3 * MIN_ASKED_TWICE, 2)).astype(np.float32)
    with run_in_process(write_config(tmp_path, {"models": {"m": pair}})) as running:
        sharing = running.parts.service.engine.pair("m").batchability
        assert sharing.is_open
        running.send(rows)
        running.parts.service.sharing_watch.check()
        assert sharing.describe().endswith("otherwise when they are alone in their run")
        eventually(lambda: ("model", "kept-apart") in running.events())
