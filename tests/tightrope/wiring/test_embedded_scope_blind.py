"""A subgroup whose samples never reach the judge, in the whole of the embedded service."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import MINORITY, config, traffic
from tests.support.in_process import infer_request, run_in_process
from tests.support.serving.service_harness import eventually
from tightrope.service import outbox

BLIND_SECONDS = 2.0


def test_subgroup_whose_requests_fit_no_record_goes_to_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its callers send many rows a request, so all its samples are dropped; the majority is judged and keeps the
    compressed model.
    """
    monkeypatch.setattr(outbox, "MAX_RECORD_ROWS", 8)
    whole = config(tmp_path)
    whole["safe_mode"]["blind_seconds"] = BLIND_SECONDS
    rows = traffic(600, harm=True)
    majority = rows[rows[:, 2] == 0.0]
    large = np.repeat(rows[:1], 9, axis=0)
    with run_in_process(write_config(tmp_path, whole)) as running:
        engine = running.parts.service.engine

        def served_by() -> tuple[object, object]:
            answer = engine.infer(engine.pair("m"), infer_request(large))
            return answer.parameters["served_by"], running.send(majority[:4])[0].parameters["served_by"]

        assert served_by() == ("compressed", "compressed")
        eventually(lambda: served_by() == ("baseline", "compressed"), seconds=20)
        assert (MINORITY, "scope-blind-began") in running.events()
