import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import COMMAND_TIMEOUT_SECONDS, command, environment, tightrope
from tests.support.configs import ROOT
from tightrope.demo.replay import REPLAY_CONNECTIONS, traffic

HARMFUL, CLEAN = "bad_distilled_households_only", "good_int8"
HARMED = "residence=group_quarters"
LATE = 1000
"""Requests within which a decision has reached the gateway, on a slow machine too."""

Result = dict[str, Any]


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Result]]:
    """The JSON of the demo with all acts for a harmful model, and of the replay alone for a harmless one, at once."""
    options = ("--fast", "--headless", "--json")
    of_model = {HARMFUL: ["--third-act"], CLEAN: ["--no-prologue", "--model", CLEAN]}
    with ExitStack() as stack:
        running = {
            model: stack.enter_context(
                subprocess.Popen(
                    command("demo", *options, *of_model[model]),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=environment(),
                )
            )
            for model in (HARMFUL, CLEAN)
        }
        ended = {model: process.communicate(timeout=COMMAND_TIMEOUT_SECONDS) for model, process in running.items()}
        assert {model: process.returncode for model, process in running.items()} == dict.fromkeys(running, 0), ended
        assert {errors for _, errors in ended.values()} == {""}
        yield {model: json.loads(out) for model, (out, _) in ended.items()}


@pytest.fixture
def result(results: dict[str, Result]) -> Result:
    """The result for the harmful model, which is the default."""
    return results[HARMFUL]


def test_result_has_exactly_these_keys(results: dict[str, Result]) -> None:
    """The JSON object has a fixed set of keys."""
    result = results[HARMFUL]
    assert set(results[CLEAN]) == {
        *(
            "model",
            "sampling",
            "requests",
            "compared",
            "dropped",
            "trips",
            "accuracy",
            "served_by",
            "seconds",
            "prologue",
        )
    }
    assert set(result) == {*results[CLEAN], "third_act"}
    for trip in result["trips"]:
        assert set(trip) == {"scope", "monitor", "at_request", "evidence", "threshold", "limit", "since", "text"}
    for scope in result["accuracy"]:
        assert set(result["accuracy"][scope]) == {"before", "after", "baseline"}
        assert set(result["served_by"][scope]) == {"baseline", "compressed"}
    declared = {scope for row in traffic() for scope in row.scopes}
    others = {f"{scope.partition('=')[0]}=other" for scope in declared}
    assert set(result["accuracy"]) == set(result["served_by"]) == {"model"} | declared | others


def test_prologue_judges_each_model(results: dict[str, Result]) -> None:
    """Two are qualified, two are refused; without the prologue none is judged."""
    assert results[CLEAN]["prologue"] == []
    assert {line["qualify"]: line["verdict"] for line in results[HARMFUL]["prologue"]} == {
        "good_int8": "qualified", "good_distilled": "qualified", "bad_pruned98": "breach", HARMFUL: "breach",
    }  # fmt: skip


@pytest.mark.parametrize("model", [HARMFUL, CLEAN])
def test_every_request_is_answered_and_compared(results: dict[str, Result], model: str) -> None:
    """At full speed nothing is dropped."""
    result = results[model]
    assert (result["model"], result["sampling"], result["dropped"]) == (model, 1.0, 0)
    assert result["requests"] == result["compared"] == len(traffic())
    assert sum(result["served_by"]["model"].values()) == result["requests"]
    assert 0 < result["seconds"] < COMMAND_TIMEOUT_SECONDS


def test_harmed_subgroup_trips_and_the_model_does_not(result: Result) -> None:
    """The alarm comes early and with its evidence; households stay in normal mode."""
    trips = {trip["scope"]: trip for trip in result["trips"]}
    assert HARMED in trips
    assert not {"model", "residence=household"} & set(trips)
    trip = trips[HARMED]
    assert (trip["monitor"], trip["limit"]) == ("disagreement", 0.1)
    assert trip["evidence"] >= trip["threshold"] == pytest.approx(8.498, abs=1e-3)
    assert 20 < trip["at_request"] <= 576 + REPLAY_CONNECTIONS  # the connections' requests overtake each other


def test_harmed_subgroup_gets_the_baseline(result: Result) -> None:
    """After the trip the baseline answers all of its requests, with the baseline's accuracy."""
    (trip_index,) = (trip["at_request"] for trip in result["trips"] if trip["scope"] == HARMED)
    indices = [number for number, row in enumerate(traffic()) if HARMED in row.scopes]
    served = result["served_by"][HARMED]
    assert sum(served.values()) == len(indices)
    assert served["compressed"] <= sum(number < trip_index + LATE for number in indices)
    accuracy = result["accuracy"][HARMED]
    # A request that overtook the first saved one on another connection may still have been the compressed model's.
    overtaken = (REPLAY_CONNECTIONS - 1) / served["baseline"]
    assert accuracy["after"] == pytest.approx(accuracy["baseline"], abs=overtaken + 1e-4)
    assert accuracy["after"] > accuracy["before"]


def test_other_subgroups_stay(result: Result) -> None:
    """The compressed model answers households to the end."""
    assert result["served_by"]["residence=household"]["baseline"] == 0
    tripped = {trip["scope"] for trip in result["trips"]}
    assert {scope for scope, a in result["accuracy"].items() if a["after"] is not None} == tripped


def test_harmless_model_raises_no_alarm(results: dict[str, Result]) -> None:
    """Twelve thousand requests, twenty-three scopes, several monitors: no false alarm."""
    result = results[CLEAN]
    assert result["trips"] == []
    assert {by["baseline"] for by in result["served_by"].values()} == {0}
    assert {accuracy["after"] for accuracy in result["accuracy"].values()} == {None}


def test_third_act_returns_the_harmed_subgroup(result: Result) -> None:
    """The fixed model is deployed into the running gateway; the subgroup returns by evidence and stays."""
    act = result["third_act"]
    returned = {move["scope"]: move for move in act["returns"]}
    assert act["deployed"] == "good_distilled"
    assert HARMED in returned
    assert set(returned[HARMED]) == {"scope", "monitor", "at_request", "recovery", "limit"}
    assert returned[HARMED]["at_request"] > result["requests"]
    assert HARMED not in act["still_safe"]


def test_unknown_model_is_one_line() -> None:
    """The error lists the known models."""
    ended = tightrope("demo", "--model", "nobody")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error --model: is 'nobody'; it must be one of ")
    assert HARMFUL in line


def test_failed_start_of_the_gateway_is_reported(tmp_path: Path) -> None:
    """The gateway's own error is printed first, and the demo's error refers to it."""
    ended = tightrope("demo", "--headless", "--no-prologue", TMPDIR=str(tmp_path), TIGHTROPE_NONSENSE="1")
    assert (ended.returncode, ended.stdout) == (1, "")
    first, last = ended.stderr.splitlines()
    assert "TIGHTROPE_NONSENSE" in first
    assert last == "error the gateway did not start (exit code 1); its error stands above"
    assert list(tmp_path.glob("tightrope-*")) == []


def test_stopped_demo_leaves_no_gateway(tmp_path: Path) -> None:
    """On SIGTERM the demo stops its gateway and removes its files."""
    arguments = command("demo", "--headless", "--no-prologue")
    where = environment(TMPDIR=str(tmp_path))
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=where) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if not children.exists():
            process.kill()
            pytest.skip("this system does not list a process's children")
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob("*/state/*.db")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        (gateway,) = children.read_text().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) != 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
    assert not Path(f"/proc/{gateway}").exists()
    assert list(tmp_path.glob("tightrope-*")) == []
