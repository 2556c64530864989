"""Late labels over HTTP: the true classes of requests that were answered before."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, Field

from tightrope.monitors.label_records import Label, PendingRow
from tightrope.service.adapters.ports import Bus, BusFullError, LabelLists
from tightrope.service.adapters.topics import LABELS, topic
from tightrope.service.adapters.wire.record_codec import encode_labels
from tightrope.service.api.answers import Accepted, Error, LabelList, RowToLabel, json_response
from tightrope.service.api.auth import CONTROL_IS_OFF, require_application, require_operator
from tightrope.service.api.openapi import answers
from tightrope.service.api.request_body import RequestBody
from tightrope.service.config.access import AccessTokens
from tightrope.service.inference.engine import InferenceEngine

MAX_LABELS = 10_000
"""Labels in one request."""


def _refuse_conversion(value: object) -> object:
    """Refuse what pydantic would convert to a number."""
    if isinstance(value, bool | str):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic's way to refuse a value
    return value


WholeNumber = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(_refuse_conversion)]
"""A number from 0 as JSON has it: neither text nor a boolean."""


Probability = Annotated[float, Field(ge=0, le=1), BeforeValidator(_refuse_conversion)]
"""A number from 0 to 1 as JSON has it."""


class OneLabel(RequestBody):
    """The true class of one row of a request."""

    id: Annotated[str, Field(min_length=1, max_length=256, description="The request's id, as its answer gave it")]
    label: Annotated[WholeNumber, Field(description="The true class, from 0")]
    row: Annotated[WholeNumber, Field(description="The row of the request, from 0")] = 0
    source: Annotated[str, Field(max_length=256, description="The origin of the label, such as a team")] = ""
    probability: Annotated[
        Probability, Field(description="The probability with which the row was drawn for a label; 0: it was not drawn")
    ] = 0.0


UNWANTED = "model {0} takes no labels: set models.{0}.labels"
NO_LISTS = (
    "the judges of this cluster have the rows that wait for labels: GET this path on the port of the model's judge"
)


class Labels(RequestBody):
    """A batch of labels."""

    labels: Annotated[list[OneLabel], Field(min_length=1, max_length=MAX_LABELS)]


ListSize = Annotated[int, Query(ge=1, le=MAX_LABELS, description="The most rows")]


def create_router(engine: InferenceEngine, bus: Bus, tokens: AccessTokens, lists: LabelLists | None) -> APIRouter:
    """``GET`` and ``POST /v1/models/{model}/labels``: rows to label, and labels, single or in batches.

    ``lists`` is None where the judges are other processes. Without a token for orders any caller may send labels, but
    none with a probability: those can hold a fallback back, as an order can.
    """
    router = APIRouter(prefix="/v1", tags=["labels"])
    operator, application = Depends(require_operator(tokens)), Depends(require_application(tokens))

    @router.get("/models/{model}/labels", dependencies=[operator], **answers(LabelList, 401, 403, 404))
    def rows_to_label(model: str, limit: ListSize = 100) -> Response:
        """Rows that were drawn for a label and wait for it, oldest first, without their inputs."""
        pair = engine.pair(model)
        if lists is None or not pair.plan.label_horizon:
            reason = NO_LISTS if lists is None else UNWANTED.format(pair.name)
            return json_response({"error": reason}, 404)
        found, draw = lists.rows_to_label(pair.name, pair.plan.label_draw, limit), pair.plan.label_draw
        rows = [_to_label(*each) for each in zip(found, draw.of_waiting(found).probabilities.tolist(), strict=True)]
        document: LabelList = {"model": pair.name, "rows": rows}
        return json_response(document)

    @router.post(
        "/models/{model}/labels", dependencies=[application], **answers(Accepted, 401, 403, 404, 503, status=202)
    )
    def labels(model: str, body: OneLabel | Labels) -> Response:
        """Accept labels. Labels of requests that were not sampled are counted as unknown after the horizon."""
        pair = engine.pair(model)
        if not pair.plan.label_horizon:
            unwanted: Error = {"error": UNWANTED.format(pair.name)}
            return json_response(unwanted, 404)
        now = time.time()
        entries = body.labels if isinstance(body, Labels) else [body]
        if not tokens.has_control and any(one.probability for one in entries):
            unproven: Error = {"error": f"probability: {CONTROL_IS_OFF}; such labels can hold a fallback back"}
            return json_response(unproven, 403)
        records = [Label(pair.name, one.id, one.row, one.label, now, one.source, one.probability) for one in entries]
        try:
            bus.publish(topic(LABELS), encode_labels(records), pair.name)
        except BusFullError as error:
            full: Error = {"error": f"labels cannot be taken just now: {error}"}
            return json_response(full, 503, {"Retry-After": "5"})
        accepted: Accepted = {"accepted": len(records)}
        return json_response(accepted, 202)

    return router


def _to_label(row: PendingRow, probability: float) -> RowToLabel:
    return {"id": row.request_id, "row": row.row, "time": row.time, "probability": probability}
