"""A class that the compressed model never says again is a breach that names it, over HTTP."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.configs import write_config
from tests.support.harmful_pair import request
from tests.support.onnx_models import classifier
from tests.support.servers import serving

CLASSES, RARE, SHARE = 12, 3, 0.014
ROWS, AT_ONCE = 1600, 16


def config(folder: Path) -> dict[str, Any]:
    """Return a pair of twelve classes, one feature each; the compressed model says class 5 for the rare one."""
    baseline = 9 * np.eye(CLASSES, dtype=np.float32)
    compressed = baseline.copy()
    compressed[RARE] = baseline[5]
    pair = {
        "baseline": str(classifier(folder / "baseline.onnx", baseline)),
        "compressed": str(classifier(folder / "compressed.onnx", compressed)),
    }
    return {"models": {"m": pair | {"mode": "armed", "repeats": "none"}}, "state": "state"}


def rows() -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return rows of all classes; the rare one has its share."""
    rng = np.random.default_rng(7)
    others = np.delete(np.arange(CLASSES), RARE)
    said = np.where(rng.random(ROWS) < SHARE, RARE, rng.choice(others, ROWS))
    return np.eye(CLASSES, dtype=np.float32)[said] + rng.normal(0, 0.05, (ROWS, CLASSES)).astype(np.float32)


def test_class_that_is_never_said_again_is_named_within_1600_rows(tmp_path: Path) -> None:
    """Two rows in a hundred may disagree: that limit alone never tells. The whole model goes to the baseline."""
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        sent = rows()
        for first in range(0, ROWS, AT_ONCE):
            answer = server.client.post("/v2/models/m/infer", json=request(sent[first : first + AT_ONCE]))
            assert answer.status_code == 200
        deadline, breaches = time.monotonic() + 60, []
        while not breaches:
            assert time.monotonic() < deadline, server.client.get("/v1/models/m").text
            time.sleep(0.1)
            events = server.client.get("/v1/events?model=m&after=0&limit=1000").json()["events"]
            breaches = [event for event in events if event["kind"] == "breach"]
        status = server.client.get("/v1/models/m").json()
        verdicts = server.client.get("/v1/models/m/verdicts?scope=model").json()["verdicts"]
    (breach,) = breaches
    (monitor,) = breach["detail"]["monitors"]
    assert (monitor["monitor"], monitor["variant"]) == ("class_miss", f"class {RARE}")
    assert breach["reason"].startswith(f"class_miss (class {RARE}) 100 in 100 (")
    assert breach["detail"]["samples"] <= ROWS
    assert status["scopes"]["model"] == "safe"
    assert [each["monitor"] for each in verdicts if each["outcome"] == "breach"] == ["class_miss"]
