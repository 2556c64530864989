"""Sound and harmful artefacts in turn: each return of the subgroup needs more evidence, until the scope latches."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.configs import write_config
from tests.support.harmful_pair import BASELINE, COMPRESSED, MAJORITY, MINORITY, config, request, traffic
from tests.support.onnx_models import classifier
from tests.support.servers import Server, serving
from tests.support.serving.service_harness import AUTH, eventually

ROUNDS = 80
"""Requests of 96 rows within which a change must happen."""


class Scenario:
    """A server and the requests sent to it: each has new rows, and the harmful artefact fails those of the minority."""

    def __init__(self, server: Server) -> None:
        self._client = server.client
        self._seed = 0

    def status(self) -> dict[str, Any]:
        """The model's path."""
        return dict(self._client.get("/v1/models/m").json())

    def state(self) -> str:
        """The minority's state."""
        return str(self.status()["scopes"][MINORITY])

    def until(self, state: str) -> None:
        """Send requests until the minority is in this state."""
        for _ in range(ROUNDS):
            self._seed += 1
            rows = request(traffic(96, harm=True, seed=self._seed))
            assert self._client.post("/v2/models/m/infer", json=rows).status_code == 200
            if self.state() == state:
                return
        with suppress(AssertionError):  # the judge takes the rows of several requests together
            eventually(lambda: self.state() == state, 5.0)
            return
        pytest.fail(f"{MINORITY} is {self.state()}, not {state}, after {ROUNDS} requests")

    def deploy(self, path: str) -> None:
        """Deploy another artefact, and wait until a safe scope has its event."""
        safe, before = self.state() != "normal", len(self.events("new-artefact"))
        body = {"path": path, "reason": "the next act", "actor": "tests"}
        assert self._client.post("/v1/models/m/deploy", json=body, headers=AUTH).status_code == 200
        eventually(lambda: len(self.events("new-artefact")) == before + safe)

    def needed_evidence(self) -> float:
        """Return log10 of the evidence that the minority's return needs now."""
        verdicts = self._client.get(f"/v1/models/m/verdicts?scope={MINORITY}").json()["verdicts"]
        return float(next(v["recovery_threshold"] for v in verdicts if v["monitor"] == "disagreement"))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the minority's events of one kind."""
        events = self._client.get("/v1/events?model=m&after=0&limit=1000").json()["events"]
        return [event for event in events if (event["kind"], event["scope"]) == (kind, MINORITY)]


def test_each_return_needs_tenfold_evidence_until_the_scope_latches(tmp_path: Path) -> None:
    """Trip, fix, return, harm again: the second return needs tenfold evidence; the third trip latches, and even a sound
    artefact does not return the scope before an operator releases it.
    """
    classifier(tmp_path / "sound.onnx", np.float32(1.01) * BASELINE)
    for flap in range(3):  # a file that is known to be harmful does not flap: it stays safe
        classifier(tmp_path / f"harmful{flap}.onnx", np.float32(2 + flap) * COMPRESSED)
    with serving(write_config(tmp_path, config(tmp_path))) as server:
        scenario, evidence = Scenario(server), []
        for flap in range(3):
            scenario.until("safe")
            evidence.append(scenario.needed_evidence())
            assert len(scenario.events("breach")) == flap + 1
            scenario.deploy("sound.onnx")
            scenario.until("normal")
            scenario.deploy(f"harmful{flap}.onnx")
        assert np.diff(evidence) == pytest.approx([1.0, 1.0])
        scenario.until("latched")
        assert "until an operator releases it" in scenario.events("breach")[-1]["reason"]
        scenario.deploy("sound.onnx")
        with pytest.raises(pytest.fail.Exception, match="is latched, not normal"):
            scenario.until("normal")
        order = {"scope": MINORITY, "reason": "looked at it", "actor": "tests"}
        assert server.client.post("/v1/models/m/release", json=order, headers=AUTH).status_code == 200
        scenario.until("normal")
        assert scenario.status()["scopes"][MAJORITY] == "normal"
