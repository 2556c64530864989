import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import PATIENCE, command, environment, tightrope
from tests.support.servers import ROOT
from tightrope.demo.replay import CONNECTIONS, traffic

HARMFUL, CLEAN = "bad_distilled_households_only", "good_int8"
HARMED = "residence=group_quarters"
LATE = 1000
"""Requests within which a decision has reached the gateway, on a slow machine too."""

Told = dict[str, Any]


@pytest.fixture(scope="module")
def stories() -> Iterator[dict[str, Told]]:
    """What the demo tells of each model, by machines' means; both are told at once, to save time."""
    options = ("--fast", "--headless", "--json")
    with ExitStack() as stack:
        running = {
            model: stack.enter_context(
                subprocess.Popen(
                    command("demo", *options, *(() if model == HARMFUL else ("--model", model))),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    env=environment(),
                )
            )
            for model in (HARMFUL, CLEAN)
        }
        ended = {model: process.communicate(timeout=PATIENCE) for model, process in running.items()}
        assert {model: process.returncode for model, process in running.items()} == dict.fromkeys(running, 0), ended
        assert {errors for _, errors in ended.values()} == {""}
        yield {model: json.loads(out) for model, (out, _) in ended.items()}


@pytest.fixture
def told(stories: dict[str, Told]) -> Told:
    """The story of the harmful model, which is the default."""
    return stories[HARMFUL]


def test_story_has_exactly_these_keys(told: Told) -> None:
    """Whoever reads it by machine can rely on them."""
    assert set(told) == {
        *("model", "sampling", "requests", "compared", "dropped", "trips", "accuracy", "served_by", "seconds")
    }
    for trip in told["trips"]:
        assert set(trip) == {"scope", "monitor", "at_request", "evidence", "threshold", "limit"}
    for scope in told["accuracy"]:
        assert set(told["accuracy"][scope]) == {"before", "after", "baseline"}
        assert set(told["served_by"][scope]) == {"baseline", "compressed"}
    assert set(told["accuracy"]) == set(told["served_by"]) == {"model", *(s for row in traffic() for s in row.scopes)}


@pytest.mark.parametrize("model", [HARMFUL, CLEAN])
def test_every_request_is_answered_and_compared(stories: dict[str, Told], model: str) -> None:
    """Nothing is dropped on the way, at full speed."""
    told = stories[model]
    assert (told["model"], told["sampling"], told["dropped"]) == (model, 1.0, 0)
    assert told["requests"] == told["compared"] == len(traffic())
    assert sum(told["served_by"]["model"].values()) == told["requests"]
    assert 0 < told["seconds"] < PATIENCE


def test_harmed_subgroup_trips_and_the_model_does_not(told: Told) -> None:
    """The alarm comes with its evidence, early in the traffic; who lives in a household is left alone."""
    trips = {trip["scope"]: trip for trip in told["trips"]}
    assert HARMED in trips
    assert not {"model", "residence=household"} & set(trips)
    trip = trips[HARMED]
    assert (trip["monitor"], trip["limit"]) == ("disagreement", 0.1)
    assert trip["evidence"] >= trip["threshold"] == pytest.approx(8.498, abs=1e-3)
    assert 20 < trip["at_request"] < 3000


def test_harmed_subgroup_gets_the_baselines_answers(told: Told) -> None:
    """From the trip on every one of its answers is the baseline's, and as right as the baseline is."""
    (at,) = (trip["at_request"] for trip in told["trips"] if trip["scope"] == HARMED)
    places = [number for number, row in enumerate(traffic()) if HARMED in row.scopes]
    served = told["served_by"][HARMED]
    assert sum(served.values()) == len(places)
    assert served["compressed"] <= sum(number < at + LATE for number in places)
    accuracy = told["accuracy"][HARMED]
    # A request that overtook the first saved one on another connection may still have been the compressed model's.
    overtaken = (CONNECTIONS - 1) / served["baseline"]
    assert accuracy["after"] == pytest.approx(accuracy["baseline"], abs=overtaken + 1e-4)
    assert accuracy["after"] > accuracy["before"]


def test_nobody_else_is_moved(told: Told) -> None:
    """Households are answered by the compressed model to the end."""
    assert told["served_by"]["residence=household"]["baseline"] == 0
    tripped = {trip["scope"] for trip in told["trips"]}
    assert {scope for scope, a in told["accuracy"].items() if a["after"] is not None} == tripped


def test_clean_model_trips_nobody(stories: dict[str, Told]) -> None:
    """Twelve thousand requests, twenty-three scopes, several monitors: no false alarm."""
    told = stories[CLEAN]
    assert told["trips"] == []
    assert {by["baseline"] for by in told["served_by"].values()} == {0}
    assert {accuracy["after"] for accuracy in told["accuracy"].values()} == {None}


def test_third_act_brings_the_harmed_subgroup_back() -> None:
    """The fixed model is deployed into the running gateway; the subgroup returns by evidence, and stays."""
    ended = tightrope("demo", "--fast", "--headless", "--json", "--third-act")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    act = told["third_act"]
    returned = {move["scope"]: move for move in act["returns"]}
    assert act["deployed"] == "good_distilled"
    assert HARMED in returned
    assert set(returned[HARMED]) == {"scope", "monitor", "at_request", "recovery", "limit"}
    assert returned[HARMED]["at_request"] > told["requests"]
    assert HARMED not in act["still_safe"]


def test_unknown_model_is_one_line() -> None:
    """It names the ones there are."""
    ended = tightrope("demo", "--model", "nobody")
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error --model: is 'nobody'; it must be one of ")
    assert HARMFUL in line


def test_demo_whose_gateway_cannot_start_says_so(tmp_path: Path) -> None:
    """The gateway's own error stands above, and the demo's line says where to look."""
    ended = tightrope("demo", "--headless", TMPDIR=str(tmp_path), TIGHTROPE_NONSENSE="1")
    assert (ended.returncode, ended.stdout) == (1, "")
    first, last = ended.stderr.splitlines()
    assert "TIGHTROPE_NONSENSE" in first
    assert last == "error the gateway did not start (exit code 1); its error stands above"
    assert list(tmp_path.glob("tightrope-*")) == []


def test_ended_demo_leaves_no_gateway_behind(tmp_path: Path) -> None:
    """Told to end in the middle, it ends its gateway too, and cleans up."""
    arguments = command("demo", "--headless")
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
