"""Payload events over HTTP: puts the events of KServe's or Seldon's logger onto the bus, where they are joined."""

from collections.abc import Callable, Container
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from tightrope.service.adapters.ports import Bus, BusFullError, RecordTooLargeError
from tightrope.service.adapters.topics import PAYLOADS, topic
from tightrope.service.adapters.wire import cloudevents
from tightrope.service.adapters.wire.cloudevents import BATCH_TYPE, STRUCTURED_TYPE
from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.errors import CallerError, TooLargeError
from tightrope.service.inference.engine import InferenceEngine

CONTENT_TYPES = ("application/json", STRUCTURED_TYPE, BATCH_TYPE)
REQUEST_BODY = {"required": True, "content": {content_type: {"schema": {}} for content_type in CONTENT_TYPES}}


async def _body(request: Request) -> bytes:
    return await request.body()


def create_router(
    engine: InferenceEngine, bus: Bus, watched: Container[str], authorised: Callable[..., None]
) -> APIRouter:
    """``POST /v1/models/{model}/payloads``: CloudEvents 1.0, in binary, structured or batched form."""
    router = APIRouter(prefix="/v1", tags=["payload events"], dependencies=[Depends(authorised)])

    @router.post("/models/{model}/payloads", status_code=202, openapi_extra={"requestBody": REQUEST_BODY})
    def payloads(model: str, request: Request, body: Annotated[bytes, Depends(_body)]) -> JSONResponse:
        """Accept requests and answers of a model that is served elsewhere, in any order; both have the same id."""
        name = engine.pair(model).name
        if name not in watched:
            return JSONResponse({"error": f"model {name} takes no payload events: set models.{name}.payloads"}, 404)
        try:
            events = cloudevents.read(dict(request.headers), body)
        except WireError as error:
            raise CallerError(str(error)) from error
        try:
            for event in events:
                bus.publish(topic(PAYLOADS), cloudevents.encode(event, name), event.id)
        except BusFullError as error:
            text = f"payload events cannot be taken just now: {error}"
            return JSONResponse({"error": text}, 503, {"Retry-After": "5"})
        except RecordTooLargeError as error:
            raise TooLargeError(str(error)) from error
        return JSONResponse({"accepted": len(events)}, 202)

    return router
