"""A server whose rows wait for review, and a browser: one of each for each file."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from tests.support.configs import write_config
from tests.support.front_page.browser import playwright_chromium
from tests.support.harmful_pair import OTHERS_OFF, request, write_models
from tests.support.servers import Server, serving
from tests.support.serving.reviewers import REVIEWERS, SENT, waiting
from tests.support.serving.service_harness import eventually

TITLES = ["left", "right"]


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a model that says left where right is right; every disagreement is drawn, and asked once."""
    folder = tmp_path_factory.mktemp("review")
    for name, token in REVIEWERS.items():
        (folder / f"{name}.token").write_text(token)
    model: dict[str, Any] = {
        **write_models(folder),
        "mode": "advisory",
        "decision": {"kind": "classes", "classes": TITLES},
        "columns": {2: {"title": "who", "codes": {0: "most", 1: "<b>few</b>"}}},
        "limits": {**OTHERS_OFF, "disagreement": 0.5},
        "labels": {"random": 0.0},
        "review": {"reviewers": {name: f"{name}.token" for name in REVIEWERS}, "second": 0},
    }
    with serving(write_config(folder, {"models": {"m": model}, "state": "state"})) as server:
        rows = np.array([[0, 1 + number / 100, number % 2, 1] for number in range(SENT)], np.float32)
        for number, row in enumerate(rows):
            server.client.post("/v2/models/m/infer", json=request(row, f"r-{number:02d}")).raise_for_status()
        eventually(lambda: waiting(server, "ana") == SENT)
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser that finds no host but this one."""
    with playwright_chromium() as running:
        yield running
