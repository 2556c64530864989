"""Null in the JSON bodies of labels, orders and deployments: the field is absent, as in an inference request."""

from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from tests.support.serving.service_harness import AUTH
from tightrope.service.api.deployments import DeployBody, RollBackBody
from tightrope.service.api.labels import Labels, OneLabel
from tightrope.service.api.orders import OrderBody
from tightrope.service.api.request_body import RequestBody

WHY = {"reason": "a test asks for it", "actor": "tests"}
ENDPOINT = {"endpoint": "http://127.0.0.1:1", "model": "m"}


@pytest.mark.parametrize(
    ("kind", "body", "nulls"),
    [
        (OneLabel, {"id": "a", "label": 1}, {"row": None, "note": None}),
        (Labels, {"labels": [{"id": "a", "label": 1}]}, {"note": None}),
        (Labels, {"labels": [{"id": "a", "label": 1}]}, {"labels": [{"id": "a", "label": 1, "row": None}]}),
        (OrderBody, WHY, {"scope": None}),
        (RollBackBody, WHY, {"path": None}),
        (DeployBody, {**WHY, "path": "m.onnx"}, {"role": None, "endpoint": None}),
        (DeployBody, {**WHY, "endpoint": ENDPOINT}, {"path": None, "role": None}),
        (
            DeployBody,
            {**WHY, "endpoint": ENDPOINT},
            {"endpoint": {**ENDPOINT, "timeout_seconds": None, "max_rows": None, "token_file": None}},
        ),
    ],
)
def test_null_means_absent(kind: type[RequestBody], body: dict[str, Any], nulls: dict[str, Any]) -> None:
    """A body with nulls is the body without these fields."""
    assert kind.model_validate({**body, **nulls}) == kind.model_validate(body)


@pytest.mark.parametrize("kind", [OneLabel, OrderBody, DeployBody, RollBackBody])
def test_body_of_many_unknown_fields_is_one_error(kind: type[RequestBody]) -> None:
    """An error of each would take hundreds of times the body's memory."""
    with pytest.raises(ValidationError) as caught:
        kind.model_validate({str(number): 1 for number in range(50_000)})
    assert [error["msg"] for error in caught.value.errors()] == ["Value error, has 50000 fields, may have at most 100"]


@pytest.mark.parametrize("body", [[], "x", 1, None])
def test_body_that_is_no_object_is_refused(body: object) -> None:
    """As before."""
    with pytest.raises(ValueError, match="valid dictionary"):
        OrderBody.model_validate(body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({**WHY, "reason": None}, "body.reason: Field required"),
        ({**WHY, "scope": {"a": None}}, "body.scope: Input should be a valid string"),
        ({**WHY, "scop": "model"}, "body.scop: Extra inputs are not permitted"),
        ({**WHY, "actor": [None]}, "body.actor: Input should be a valid string"),
    ],
)
def test_required_field_that_is_null_is_missing(client: httpx.Client, body: dict[str, Any], error: str) -> None:
    """400, naming it; other mistakes are still found."""
    answer = client.post("/v1/models/plain/release", json=body, headers=AUTH)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_order_with_nulls_is_carried_out(client: httpx.Client) -> None:
    """The scope is the model's, as without the field."""
    answer = client.post("/v1/models/plain/release", json={**WHY, "scope": None, "note": None}, headers=AUTH)
    assert answer.status_code == 200
