"""The third act, again and again: a sound artefact brings the harmed subgroup back, the harmful one sends it away, and
each time the way back asks for more, until a person must act.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.harmful_pair import BASELINE, MAJORITY, MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving, write_config
from tests.support.serving.service_harness import AUTH, eventually

ROUNDS = 80
"""Requests of 96 rows until something must have happened."""


class Stage:
    """A server, and everything sent to it: each request is new, and harms whom the harmful artefact fails."""

    def __init__(self, server: Server) -> None:
        self._client = server.client
        self._seed = 0

    def status(self) -> dict[str, Any]:
        """The model's."""
        return dict(self._client.get("/v1/models/m").json())

    def state(self) -> str:
        """The minority's."""
        return str(self.status()["scopes"][MINORITY])

    def until(self, state: str) -> None:
        """Send until the minority is in that state."""
        for _ in range(ROUNDS):
            self._seed += 1
            rows = request(traffic(96, harm=True, seed=self._seed))
            assert self._client.post("/v2/models/m/infer", json=rows).status_code == 200
            if self.state() == state:
                return
        pytest.fail(f"{MINORITY} is {self.state()}, not {state}, after {ROUNDS} requests")

    def deploy(self, path: str) -> None:
        """Put another artefact in place; who is safe has heard of it by the end."""
        safe, heard = self.state() != "normal", len(self.events("new-artefact"))
        why = {"path": path, "reason": "the next act", "actor": "tests"}
        assert self._client.post("/v1/models/m/deploy", json=why, headers=AUTH).status_code == 200
        eventually(lambda: len(self.events("new-artefact")) == heard + safe)

    def asked(self) -> float:
        """Log10 of the evidence that the minority's return takes now."""
        verdicts = self._client.get(f"/v1/models/m/verdicts?scope={MINORITY}").json()["verdicts"]
        return float(next(v["recovery_threshold"] for v in verdicts if v["monitor"] == "disagreement"))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The audit trail of the minority, of one kind."""
        told = self._client.get("/v1/events?model=m&limit=1000").json()["events"]
        return [event for event in told if (event["kind"], event["scope"]) == (kind, MINORITY)]


def test_coming_and_going_asks_tenfold_each_time_and_ends_with_a_person(tmp_path: Path) -> None:
    """Trip, fix, return, the bad one again: it trips again and needs tenfold evidence; the third flap latches, says so,
    and not even a sound artefact brings it back before somebody releases it.
    """
    classifier(tmp_path / "sound.onnx", np.float32(1.01) * BASELINE)
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        stage, asked = Stage(server), []
        for flap in range(3):
            stage.until("safe")
            asked.append(stage.asked())
            assert len(stage.events("breach")) == flap + 1
            stage.deploy("sound.onnx")
            stage.until("normal")
            stage.deploy("compressed.onnx")
        assert np.diff(asked) == pytest.approx([1.0, 1.0])
        stage.until("latched")
        assert "until a person releases it" in stage.events("breach")[-1]["reason"]
        stage.deploy("sound.onnx")
        with pytest.raises(pytest.fail.Exception, match="is latched, not normal"):
            stage.until("normal")
        order = {"scope": MINORITY, "reason": "looked at it", "actor": "tests"}
        assert server.client.post("/v1/models/m/release", json=order, headers=AUTH).status_code == 200
        stage.until("normal")
        assert stage.status()["scopes"][MAJORITY] == "normal"
