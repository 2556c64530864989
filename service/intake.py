"""Payload events over HTTP: what KServe's or Seldon's logger posts goes onto the bus, and is joined behind it."""

from collections.abc import Callable, Container
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from service.adapters import cloudevents
from service.adapters.cloudevents import BATCH, STRUCTURED
from service.adapters.packing import WireError
from service.adapters.ports import Bus, BusFullError
from service.adapters.topics import PAYLOADS, topic
from service.errors import CallerError
from service.gateway import Gateway

BODY = {"required": True, "content": {kind: {"schema": {}} for kind in ("application/json", STRUCTURED, BATCH)}}


async def _body(request: Request) -> bytes:
    return await request.body()


def routes(gateway: Gateway, bus: Bus, watched: Container[str], authorised: Callable[..., None]) -> APIRouter:
    """``POST /v1/models/{m}/payloads``: CloudEvents 1.0, in binary, structured or batched form."""
    router = APIRouter(prefix="/v1", tags=["payload events"], dependencies=[Depends(authorised)])

    @router.post("/models/{model}/payloads", status_code=202, openapi_extra={"requestBody": BODY})
    def payloads(model: str, request: Request, body: Annotated[bytes, Depends(_body)]) -> JSONResponse:
        """Requests and answers of a model that is served elsewhere, in any order; both halves have the same id."""
        name = gateway.pair(model).name
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
            told = {"error": f"payload events cannot be taken just now: {error}"}
            return JSONResponse(told, 503, {"Retry-After": "5"})
        return JSONResponse({"accepted": len(events)}, 202)

    return router
