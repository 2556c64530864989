"""schemathesis sends every operation of `openapi.json` what it allows, and what it does not: no answer is 5xx, of an
undocumented status, or other than its schema says.
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.configs import ROOT, TOKEN, write_config
from tests.support.servers import Server, serving
from tests.support.serving import schemathesis_hooks
from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS
from tightrope.service.adapters.archive.report_store import ReportStore

EXAMPLES = 8
"""Cases of each operation beyond those that its schema names. The run is deterministic."""

CONFIGURATION = f"""
hooks = "{schemathesis_hooks.__file__}"

[parameters]
"path.model" = "plain"
"path.version" = "1"
"path.name" = "newest"
"path.week" = "2026-W01"

# A valid call may be refused: by the model's inputs, for want of an earlier deployment, for attributes in headers, for
# want of a name where the token has none, for two days in the wrong order.
[[operations]]
include-path-regex = "/(infer|rollback|payloads|force-safe|force-normal|release|decisions|days)$"
[operations.checks]
positive_data_acceptance.enabled = false

# A valid deployment loads a candidate in a process of its own, which takes too long here.
[[operations]]
include-path-regex = "/deploy$"
[operations.generation]
mode = "negative"
"""


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a model that takes labels and payload events, and has a report."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "reviewer.token").write_text(TOKEN)
    review = {"reviewers": {"ana": "reviewer.token"}}
    pair = {**sure_and_unsure(folder), **CALM, "subgroups": SUBGROUPS, "labels": {}, "payloads": {}, "review": review}
    config = write_config(folder, {"models": {"plain": pair}, "state": "state", "server": {"port": 0}})
    ReportStore(folder / "state" / "reports").save("plain", "<p>A report</p>", {"scopes": {}}, 1, time.time())
    with serving(config) as running:
        yield running


@pytest.fixture(scope="module")
def run(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, str, Mapping[str, set[int]]]:
    """The exit code of a run, its output, and the status codes of each operation."""
    folder = tmp_path_factory.mktemp("schemathesis")
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", own_server.address + "/openapi.json",
        "--header", f"Authorization: Bearer {TOKEN}", "--max-examples", str(EXAMPLES), "--generation-deterministic",
        "--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--request-timeout", "60",
        "--no-color", "--no-shrink", "--continue-on-failure",
        "--report", "ndjson", "--report-ndjson-path", "run.ndjson",
    ]  # fmt: skip
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr, statuses(folder / "run.ndjson")


def statuses(report: Path) -> dict[str, set[int]]:
    """The status codes of each operation in a report."""
    found: dict[str, set[int]] = defaultdict(set)
    for line in report.read_text().splitlines():
        ended: dict[str, Any] = json.loads(line).get("ScenarioFinished", {})
        recorder = ended.get("recorder", {})
        for interaction in recorder.get("interactions", {}).values():
            if interaction.get("response"):
                found[recorder["label"]].add(interaction["response"]["status_code"])
    return found


def test_answers_are_as_documented(run: tuple[int, str, Mapping[str, set[int]]]) -> None:
    """No check of schemathesis fails."""
    code, output, _ = run
    assert code == 0, output


def test_every_operation_was_called(run: tuple[int, str, Mapping[str, set[int]]], own_server: Server) -> None:
    """Each with success, and those with a body also with one that is refused; so the run proves something. Nothing is
    there to deploy, no model has a statement, no group is found, no row waits for a review, no name of an incident is
    known, and no decision is due.
    """
    _, output, found = run
    document = own_server.client.get("/openapi.json").json()
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert found.keys() == operations, output
    always_refused = {f"POST /v1/models/{{model}}/{name}" for name in ("deploy", "rollback", *GROUP_ORDERS)}
    always_refused |= {f"{method} /v1/models/{{model}}/reviews/{{name}}" for method in ("POST", "DELETE")}
    always_refused |= {f"GET /v1/incidents/{{name}}{form}" for form in ("", ".html", ".zip")}
    always_refused |= {"POST /v1/weeks/{week}/decisions"}
    always_refused |= {f"GET /v1/models/{{model}}/{name}" for name in ("qualification", "card")}
    assert {name for name, codes in found.items() if codes.isdisjoint({200, 202})} == always_refused
    assert {name for name, codes in found.items() if name.startswith("POST") and 400 not in codes} == set()
    refused = {name.split()[1] for name, codes in found.items() if 405 in codes}
    assert refused == document["paths"].keys(), "each path was called with another method"


def test_server_still_answers(run: object, own_server: Server) -> None:
    """Nothing that was sent did harm."""
    assert run
    assert own_server.client.get("/v2/health/ready").status_code == 200
