"""Rows that ran twice, and rows that a role would refuse, are counted, also where the other role's answer was given."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.service.inference.test_batch import REQUESTS
from tests.support.serving.engine_requests import answer_together
from tests.support.serving.model_pairs import CALM, REFUSAL, SUBGROUPS, sure_and_unsure
from tests.support.serving.service_harness import GatewayHarness, body
from tightrope.monitors.records import Role
from tightrope.service.protocol.rest import InferRequest, InferResponse

UNSURE, SURE, DOUBTFUL = [0.0, 1.0], [0.0, 5.0], [0.0, 0.0]
"""Rows that the compressed model refuses, that neither refuses, and that both refuse."""


def bench(folder: Path, action: str, **model: object) -> GatewayHarness:
    """A gateway whose model refuses and acts so."""
    pair = {**sure_and_unsure(folder), **CALM, "refusal": {**REFUSAL, "action": action}, **model}
    return GatewayHarness(folder, {"m": pair})


def counts(served: GatewayHarness) -> tuple[int, int, int]:
    """Rows escalated, and rows that the compressed model and its baseline would refuse."""
    refused = [served.count("would_refuse", model="m", role=role) for role in (Role.COMPRESSED, Role.BASELINE)]
    return served.count("escalations", model="m"), refused[0], refused[1]


@pytest.mark.parametrize(("row", "expected"), [(SURE, (0, 0, 0)), (UNSURE, (1, 1, 0)), (DOUBTFUL, (1, 1, 1))])
def test_row_that_the_baseline_answers_instead_is_counted(
    tmp_path: Path, row: list[float], expected: tuple[int, int, int]
) -> None:
    """Its caller sees no refusal, or the baseline's."""
    served = bench(tmp_path, "escalate")
    served.infer("m", body([row]))
    assert counts(served) == expected


def test_all_rows_of_an_escalated_request_run_twice(tmp_path: Path) -> None:
    """The request is escalated as a whole; the compressed model would refuse one row of it."""
    served = bench(tmp_path, "escalate")
    served.infer("m", body([SURE, UNSURE, SURE]))
    assert counts(served) == (3, 1, 0)


@pytest.mark.parametrize("action", ["flag", "abstain"])
def test_row_that_is_not_escalated_is_no_escalation(tmp_path: Path, action: str) -> None:
    """It is refused by the role that answers."""
    served = bench(tmp_path, action)
    served.infer("m", body([UNSURE, SURE]))
    assert counts(served) == (0, 1, 0)


def test_baseline_in_safe_mode_escalates_nothing(tmp_path: Path) -> None:
    """It alone runs."""
    served = bench(tmp_path, "escalate")
    served.safe("m", "model")
    served.infer("m", body([UNSURE, DOUBTFUL]))
    assert counts(served) == (0, 0, 1)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=REQUESTS)
def test_counts_are_the_sums_of_the_answers(tmp_path: Path, batches: list[InferRequest]) -> None:
    """In any batches, with rows of a subgroup in safe mode among them."""
    served = bench(tmp_path, "escalate", subgroups=SUBGROUPS)
    served.safe("m", "region=north")
    answers = answer_together(served.engine, "m", batches)
    escalated = refused_rows = 0
    for request, answer in zip(batches, answers, strict=True):
        assert isinstance(answer, InferResponse)
        rows = len(request.inputs["input"])
        escalated += rows * ("escalated" in answer.parameters)
        listed = str(answer.parameters.get("refused_rows", "0")).split(",")
        refused_rows += len(listed) if answer.parameters["refused"] else 0
    assert counts(served)[0] == escalated
    assert counts(served)[2] == refused_rows, "no answer of the compressed model is refused"
    assert (counts(served)[1] > 0) == (escalated > 0)
