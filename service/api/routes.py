"""Everything but inference, over FastAPI: the protocol's health and metadata, /metrics, and /v1 to watch and to
steer.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from tightrope.monitors.records import MODEL_SCOPE, Order, Role
from tightrope.monitors.safemode import ORDERS
from tightrope.service.adapters.ports import Bus, BusFullError, Trail
from tightrope.service.adapters.prometheus.catalogue import DROPPED
from tightrope.service.adapters.wire.record_codec import encode_order
from tightrope.service.api.auth import operator
from tightrope.service.api.openapi import describe
from tightrope.service.api.ports import Desk
from tightrope.service.errors import TightropeError, UnknownModelError
from tightrope.service.inference.engine import Gateway
from tightrope.service.inference.model_pair import Pair
from tightrope.service.protocol.metadata import EXTENSIONS, PLATFORM, VERSION
from tightrope.service.protocol.tensors import TensorSpec
from tightrope.service.transport.http.codec import status_of

CONFIRMATION_SECONDS = 2.0
"""How long an order waits for the judge before this replica carries it out on its own."""


class OrderBody(BaseModel):
    """Why, and who: both go into the audit trail."""

    model_config = ConfigDict(extra="forbid")

    scope: str = Field(MODEL_SCOPE, max_length=256, description="`model`, or a subgroup written attribute=value")
    reason: str = Field(min_length=3, max_length=1000)
    actor: str = Field(min_length=1, max_length=200)


Report = Callable[[str], str | None]
"""Where a model's newest drift report is, if there is one."""


def create_api(
    gateway: Gateway,
    desk: Desk,
    store: Trail,
    bus: Bus,
    control_topic: str,
    token: str | None,
    report: Report,
    knows: Callable[[], bool] = lambda: True,
) -> FastAPI:
    """The application that answers whatever the inference layer lets through; ``knows`` says whether this replica is
    ready.
    """
    app = FastAPI(title="Tightrope", version=VERSION, default_response_class=JSONResponse)
    app.include_router(_protocol(gateway, knows))
    app.include_router(_status(gateway, desk, store, report))
    app.include_router(_control(gateway, bus, control_topic, token, report))
    describe(app)

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics(accept: Annotated[str, Header()] = "") -> Response:
        """Prometheus or OpenMetrics, as the scraper asks."""
        body, content_type = gateway.metrics.page(accept)
        return Response(body, media_type=content_type)

    @app.exception_handler(TightropeError)
    def known(_: Request, error: TightropeError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_of(error))

    @app.exception_handler(StarletteHTTPException)
    def http(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return JSONResponse({"error": f"{where}: {first['msg']}"}, 400)

    return app


def _protocol(gateway: Gateway, knows: Callable[[], bool]) -> APIRouter:
    """Open Inference Protocol v2, health and metadata (inference_rest.md)."""
    router = APIRouter(prefix="/v2", tags=["inference protocol"])

    @router.get("")
    def server() -> dict[str, object]:
        """What this server is."""
        return {"name": "tightrope", "version": VERSION, "extensions": list(EXTENSIONS)}

    @router.get("/health/live")
    def live() -> dict[str, bool]:
        """The process answers; depends on nothing outside it."""
        return {"live": True}

    @router.get("/health/ready")
    def ready(response: Response) -> dict[str, bool]:
        """This replica can answer inference requests, by the modes of today. Safe mode is ready."""
        known = knows()
        response.status_code = 200 if known else 503
        return {"ready": known}

    @router.get("/models/{model}")
    @router.get("/models/{model}/versions/{version}")
    def metadata(model: str, version: str | None = None) -> dict[str, object]:
        """A model's inputs and outputs."""
        pair = gateway.pair(model, version)
        return {
            "name": pair.name,
            "versions": [pair.version],
            "platform": PLATFORM,
            "inputs": [_tensor(spec) for spec in pair.inputs],
            "outputs": [_tensor(spec) for spec in pair.outputs],
        }

    @router.get("/models/{model}/ready")
    @router.get("/models/{model}/versions/{version}/ready")
    def model_ready(model: str, version: str | None = None) -> dict[str, object]:
        """This model can answer."""
        return {"name": gateway.pair(model, version).name, "ready": True}

    return router


def _status(gateway: Gateway, desk: Desk, store: Trail, report: Report) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["status"])

    @router.get("/models")
    def models() -> Response:
        """Every model with the modes of its scopes."""
        return _json({"models": [_summary(gateway, pair, report) for pair in gateway.pairs.values()]})

    @router.get("/models/{model}")
    def model(model: str) -> Response:
        """One model: artefacts, modes, sampling, how far the judgement got, and its newest drift report."""
        pair = gateway.pair(model)
        sampling = {
            "rate": pair.sampler.rate,
            "floors": dict(pair.sampler.floors),
            "kept": gateway.metrics.total("samples", model=pair.name),
            "dropped": sum(
                gateway.metrics.total("samples_dropped", model=pair.name, reason=reason) for reason in DROPPED
            ),
        }
        return _json({**_summary(gateway, pair, report), "sampling": sampling, "judged": desk.progress(pair.name)})

    @router.get("/models/{model}/verdicts")
    def verdicts(model: str, scope: str | None = None) -> Response:
        """What every monitor says of every scope, with the evidence so far (log10, against its budget)."""
        said = [asdict(v) for v in desk.verdicts(gateway.pair(model).name) if scope in {None, v.scope}]
        return _json({"model": model, "verdicts": said})

    @router.get("/events")
    def events(
        model: str | None = None,
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """The audit trail, oldest first; ask again with ``after`` set to the last ``seq``. Beside each event stands
        the newest drift report of its model.
        """
        known = {name: report(name) for name in gateway.pairs}
        found = store.events(model, after, limit)
        return _json({"events": [{"seq": seq, **asdict(e), "report": known.get(e.model)} for seq, e in found]})

    return router


def _control(gateway: Gateway, bus: Bus, topic: str, token: str | None, report: Report) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["control"], dependencies=[Depends(operator(token))])

    def give(model: str, what: str, body: OrderBody) -> Response:
        pair = gateway.pair(model)
        if body.scope not in pair.plan.scopes:
            raise UnknownModelError(f"scope: {body.scope!r} is none of {', '.join(pair.plan.scopes)}")
        order = Order(uuid.uuid4().hex, time.time(), pair.name, body.scope, what, body.actor, body.reason)
        confirmed = False
        with contextlib.suppress(BusFullError):  # whatever ails the bus, an operator's order holds on this replica
            bus.publish(topic, encode_order(order), key=f"{pair.name}/{order.scope}")
            confirmed = gateway.router.confirmed(order, CONFIRMATION_SECONDS)
        if not confirmed:
            gateway.router.force(order)
        return _json({**_summary(gateway, pair, report), "order": order.id, "confirmed": confirmed})

    for what in ORDERS:

        def endpoint(model: str, body: OrderBody, what: str = what) -> Response:
            return give(model, what, body)

        router.add_api_route(
            f"/models/{{model}}/{what}", endpoint, methods=["POST"], name=what, description=_ORDERS[what]
        )
    return router


_ORDERS = {
    "force-safe": "The baseline answers this scope until it is released, whatever the monitors say.",
    "force-normal": "The compressed model answers this scope until it is released, whatever the monitors say.",
    "release": "Give a scope back to the monitors: ends a force, and unlatches.",
}


def _summary(gateway: Gateway, pair: Pair, report: Report) -> dict[str, object]:
    routes = gateway.router.routes(pair.name)
    return {
        "name": pair.name,
        "version": pair.version,
        "mode": "armed" if pair.plan.armed else "advisory",
        "baseline_digest": pair.models[Role.BASELINE].digest,
        "compressed_digest": pair.models[Role.COMPRESSED].digest,
        "epoch": routes.epoch,
        "safe": list(routes.safe),
        "scopes": {scope: routes.states.get(scope, "normal") for scope in pair.plan.scopes},
        "report": report(pair.name),
    }


def _tensor(spec: TensorSpec) -> dict[str, object]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _json(value: object) -> Response:
    """Minus infinity, a detector that has seen nothing, becomes null."""
    return Response(orjson.dumps(value), media_type="application/json")
