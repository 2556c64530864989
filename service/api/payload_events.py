"""Payload events over HTTP: puts the events of KServe's or Seldon's logger onto the bus, where they are joined."""

import re
from collections.abc import Callable, Container
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tightrope.service.adapters.ports import Bus, BusFullError, RecordTooLargeError
from tightrope.service.adapters.topics import PAYLOADS, topic
from tightrope.service.adapters.wire import cloudevents
from tightrope.service.adapters.wire.cloudevents import (
    BATCH_TYPE,
    CLOUDEVENTS_VERSION,
    KIND_BY_SUFFIX,
    MAX_ID_CHARS,
    STRUCTURED_TYPE,
)
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.api.answers import Accepted, Error, json_response
from tightrope.service.api.openapi import answers
from tightrope.service.errors import CallerError, TooLargeError
from tightrope.service.inference.engine import InferenceEngine

CLOUD_EVENT = {
    "type": "object",
    "description": "An event in structured form",
    "required": ["specversion", "id", "type"],
    "properties": {
        "specversion": {"const": CLOUDEVENTS_VERSION},
        "id": {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS, "description": "The id of the request"},
        "type": {"type": "string", "pattern": "|".join(f"{re.escape(end)}$" for end in KIND_BY_SUFFIX)},
        "time": {"description": "RFC 3339; one that cannot be read counts as unknown"},
        "data": {"description": "The body of the request or the answer"},
        "data_base64": {"type": ["string", "null"], "description": "The body, where it is no JSON"},
    },
}
BINARY_SCHEMA = {"description": "The body of the request or the answer; the attributes are in headers `ce-…`"}
DESCRIPTION = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED_TYPE: {"schema": CLOUD_EVENT},
            BATCH_TYPE: {"schema": {"type": "array", "items": CLOUD_EVENT}},
            "application/json": {"schema": BINARY_SCHEMA},
        },
    }
}
"""The description of the body."""


async def _body(request: Request) -> bytes:
    return await request.body()


def create_router(
    engine: InferenceEngine, bus: Bus, watched: Container[str], authorised: Callable[..., None]
) -> APIRouter:
    """``POST /v1/models/{model}/payloads``: CloudEvents 1.0, in binary, structured or batched form."""
    router = APIRouter(prefix="/v1", tags=["payload events"], dependencies=[Depends(authorised)])

    described = answers(Accepted, 401, 404, 503, status=202)

    @router.post("/models/{model}/payloads", openapi_extra=DESCRIPTION, **described)
    def payloads(model: str, request: Request, body: Annotated[bytes, Depends(_body)]) -> Response:
        """Accept requests and answers of a model that is served elsewhere, in any order; both have the same id."""
        name = engine.pair(model).name
        if name not in watched:
            unwanted: Error = {"error": f"model {name} takes no payload events: set models.{name}.payloads"}
            return json_response(unwanted, 404)
        try:
            events = cloudevents.read(dict(request.headers), body)
        except WireError as error:
            raise CallerError(str(error)) from error
        try:
            for event in events:
                bus.publish(topic(PAYLOADS), cloudevents.encode(event, name), event.id)
        except BusFullError as error:
            full: Error = {"error": f"payload events cannot be taken just now: {error}"}
            return json_response(full, 503, {"Retry-After": "5"})
        except RecordTooLargeError as error:
            raise TooLargeError(str(error)) from error
        accepted: Accepted = {"accepted": len(events)}
        return json_response(accepted, 202)

    return router
