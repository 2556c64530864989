"""Refusals of either model are counted, and the counts agree with what the answers say of themselves."""

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.configs import write_config
from tests.support.in_process import run_in_process
from tests.support.serving.model_pairs import REFUSAL, sure_and_unsure
from tightrope.monitors.records import Role

ROWS = 1000


def test_escalated_rows_are_counted_as_run_twice_and_refused(tmp_path: Path) -> None:
    """For 1,000 rows: the gateway's counts, the worker's and the judge's rates are the sums of the answers."""
    pair = {**sure_and_unsure(tmp_path), "refusal": {**REFUSAL, "action": "escalate"}, "mode": "advisory"}
    path = write_config(tmp_path, {"models": {"m": pair}, "state": "state"})
    rows = np.random.default_rng(0).normal(scale=2, size=(ROWS, 2)).astype(np.float32)
    with run_in_process(path) as running:
        running.states()  # the gateway knows the modes
        answers = [answer.parameters for answer in running.send(rows)]
        escalated = sum(answer.get("escalated", False) is True for answer in answers)
        kept = sum(answer["served_by"] == Role.COMPRESSED and answer["refused"] is True for answer in answers)
        both = sum(answer["served_by"] == Role.BASELINE and answer["refused"] is True for answer in answers)
        assert (escalated > 300, kept, both > 50) == (True, 0, True)

        metrics = running.parts.service.engine.metrics
        metrics.exposition("")  # a scrape counts what is queued
        total = metrics.total
        assert total("escalations", model="m") == escalated
        assert total("would_refuse", model="m", role=Role.COMPRESSED) == escalated
        assert total("would_refuse", model="m", role=Role.BASELINE) == both
        assert total("refusals", model="m", role=Role.BASELINE, action="escalate") == both
        assert total("refusals", model="m", role=Role.COMPRESSED, action="escalate") == 0
        assert total("compared_refusals", model="m", role=Role.COMPRESSED) == escalated
        assert total("compared_refusals", model="m", role=Role.BASELINE) >= both

        progress: Any = running.parts.view.progress("m")
        judged, refused = progress["scopes"]["model"]["compared"], progress["scopes"]["model"]["refused"]
        assert escalated - progress["pending"] <= refused[Role.COMPRESSED] <= escalated
        (shown,) = [v for v in running.parts.view.verdicts("m") if (v.scope, v.monitor) == ("model", "refusal_rate")]
        assert shown.refused_compressed == refused[Role.COMPRESSED] / judged
        assert shown.refused_baseline == refused[Role.BASELINE] / judged
