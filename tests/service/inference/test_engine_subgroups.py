"""A caller leaves no subgroup in safe mode by a spelling, by a value that is not declared, or by none."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving.model_pairs import CALM, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.service.errors import CallerError
from tightrope.service.inference.engine import SingleRequest
from tightrope.service.protocol.rest import InferRequest, InferResponse, decode_request

EVASIONS: tuple[dict[str, Any], ...] = (
    {"parameters": {"region": "North"}},
    {"parameters": {"region": " NORTH "}},
    {"parameters": {"region": "north2"}},
    {"parameters": {"region": ""}},
    {"parameters": {"Region": "north"}},
    {},
)
"""Fields of requests that are, or may be, of region north."""


def gateway(folder: Path, **region: object) -> GatewayHarness:
    """A gateway of one pair with the attributes region and band."""
    subgroups = {**SUBGROUPS, "region": {**SUBGROUPS["region"], **region}}
    return GatewayHarness(folder, {"m": {**sure_and_unsure(folder), **CALM, "subgroups": subgroups}})


def served_by(bench: GatewayHarness, value: float = 50.0, **fields: Any) -> object:  # noqa: ANN401 - JSON
    """The role that answers one row."""
    return bench.infer("m", body([[value, 1.0]], **fields)).parameters["served_by"]


@pytest.mark.parametrize("evasion", EVASIONS, ids=str)
def test_requests_that_may_be_of_a_safe_value_get_the_baseline(tmp_path: Path, evasion: dict[str, Any]) -> None:
    """While it is safe, and no longer; a request of another declared value does not."""
    bench = gateway(tmp_path)
    assert served_by(bench, **evasion) == "compressed"
    bench.safe("m", "region=north")
    assert served_by(bench, **evasion) == "baseline"
    assert served_by(bench, parameters={"region": "SOUTH"}) == "compressed"
    bench.safe("m")
    assert served_by(bench, **evasion) == "compressed"


def test_row_with_an_undeclared_code_follows_a_safe_code(tmp_path: Path) -> None:
    """A column is an attribute like a parameter."""
    bench = gateway(tmp_path)
    bench.safe("m", "band=high")
    south = {"parameters": {"region": "south"}}
    assert [served_by(bench, value, **south) for value in (5.0, 10.0, 15.0)] == ["compressed", "baseline", "baseline"]


def test_undeclared_values_may_get_the_baseline_always(tmp_path: Path) -> None:
    """With otherwise: baseline, in every mode."""
    bench = gateway(tmp_path, otherwise="baseline")
    assert {str(served_by(bench, **evasion)) for evasion in EVASIONS[2:]} == {"baseline"}
    assert {str(served_by(bench, **evasion)) for evasion in EVASIONS[:2]} == {"compressed"}


def test_undeclared_values_may_be_refused(tmp_path: Path) -> None:
    """With otherwise: refuse, by an error that names the parameter and the values; others of the run are answered."""
    bench = gateway(tmp_path, otherwise="refuse")
    with pytest.raises(CallerError, match=r"^parameters.region: is 'north2'; it must be one of north, south$"):
        served_by(bench, **EVASIONS[2])
    assert served_by(bench, **EVASIONS[0]) == "compressed"
    pair = bench.engine.pair("m")
    requests = [request_of(bench, **EVASIONS[index]) for index in (0, 5, 1)]
    answers = bench.engine.answer(pair.name, [SingleRequest(request, 1, None) for request in requests]).answers
    assert [type(answer) for answer in answers] == [InferResponse, CallerError, InferResponse]
    assert str(answers[1]) == "parameters.region: is missing; it must be one of north, south"


def request_of(bench: GatewayHarness, **fields: Any) -> InferRequest:  # noqa: ANN401 - JSON
    """A decoded request of one row."""
    pair = bench.engine.pair("m")
    return decode_request(json.dumps(body([[50.0, 1.0]], **fields)).encode(), None, pair.inputs, pair.outputs)


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_rows_of_subgroups_are_counted_sampled_or_not(tmp_path: Path, rate: float) -> None:
    """Those of undeclared values, too; a request's rows are in one subgroup of each attribute."""
    pair = {**sure_and_unsure(tmp_path), **CALM, "subgroups": SUBGROUPS, "sampling": {"rate": rate}}
    bench = GatewayHarness(tmp_path, {"m": pair})
    for number in range(60):
        region = ("north", "South ", "west")[number % 3]
        bench.infer("m", body([[5.0, 1.0], [15.0, 1.0]], id=f"r{number}", parameters={"region": region}))
    bench.metrics.exposition("")
    counted = {scope: bench.count("subgroup_rows", model="m", scope=scope) for scope in bench.pairs["m"].plan.scopes}
    assert counted == {
        "model": 120,
        "region=north": 40,
        "region=south": 40,
        "region=other": 40,
        "band=low": 60,
        "band=high": 0,
        "band=other": 60,
    }
