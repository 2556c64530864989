"""Control orders: an operator forces a scope to safe or normal mode or releases it, or has a found group watched."""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field

from tightrope.monitors.catalogue import MAX_ADDED
from tightrope.monitors.records import MODEL_SCOPE, Order
from tightrope.monitors.safemode import ORDERS
from tightrope.monitors.watched_groups.orders import GROUP_ORDERS, UNWATCH_GROUP, WATCH_GROUP
from tightrope.service.adapters.ports import Bus, BusFullError
from tightrope.service.adapters.topics import CONTROL, topic
from tightrope.service.adapters.wire.record_codec import encode_order
from tightrope.service.api.answers import OrderResult, json_response
from tightrope.service.api.auth import actor_of
from tightrope.service.api.openapi import answers
from tightrope.service.api.ports import VerdictReader
from tightrope.service.api.request_body import ActorName, RequestBody
from tightrope.service.api.status import NewestReport, model_summary, require_scope
from tightrope.service.errors import ConflictError
from tightrope.service.inference.engine import InferenceEngine

CONFIRMATION_SECONDS = 2.0
"""An order that no judge has confirmed after this time is carried out by this replica on its own."""

_DESCRIPTIONS = {
    "force-safe": "The baseline answers this scope until it is released, whatever the monitors report.",
    "force-normal": "The compressed model answers this scope until it is released, whatever the monitors report.",
    "release": "Give a scope back to the monitors: ends a force, and unlatches.",
    WATCH_GROUP: "Watch a found group as a scope at once, under the name that `/groups` gives as its `scope`; at most "
    f"{MAX_ADDED} are watched. No traffic moves.",
    UNWATCH_GROUP: "End the scope of a found group, which must be in normal mode.",
}


class OrderBody(RequestBody):
    """The scope, the reason and the operator; all of them go into the audit trail."""

    scope: str = Field(MODEL_SCOPE, max_length=256, description="`model`, or a subgroup written attribute=value")
    reason: str = Field(min_length=3, max_length=1000)
    actor: ActorName = None


def create_router(
    engine: InferenceEngine,
    bus: Bus,
    authorised: Callable[..., str],
    reader: VerdictReader,
    newest_report: NewestReport,
) -> APIRouter:
    """``POST /v1/models/{model}/force-safe``, ``…/force-normal``, ``…/release``, and those of found groups."""
    router = APIRouter(prefix="/v1", tags=["control"])
    owner = Annotated[str, Depends(authorised)]

    def add(kind: str) -> None:
        def endpoint(model: str, body: OrderBody, operator: owner) -> Response:
            pair = engine.pair(model)
            if kind not in GROUP_ORDERS:
                require_scope(engine, pair, body.scope)
            elif refusal := reader.group_refusal(pair.name, kind, body.scope):
                raise ConflictError(f"scope: {refusal}")
            actor = actor_of(operator, body.actor)
            order = Order(uuid.uuid4().hex, time.time(), pair.name, body.scope, kind, actor, body.reason)
            confirmed = _carry_out(engine, bus, order)
            summary = model_summary(engine, pair, reader, newest_report)
            document: OrderResult = {**summary, "order": order.id, "actor": actor, "confirmed": confirmed}
            return json_response(document)

        path = f"/models/{{model}}/{kind}"
        described = answers(OrderResult, 401, 403, 404, *([409] if kind in GROUP_ORDERS else []))
        router.add_api_route(path, endpoint, methods=["POST"], name=kind, description=_DESCRIPTIONS[kind], **described)

    for kind in (*ORDERS, *GROUP_ORDERS):
        add(kind)
    return router


def _carry_out(engine: InferenceEngine, bus: Bus, order: Order) -> bool:
    """Publish an order and wait for the judge's confirmation; without one, carry it out on this replica alone. An order
    about a found group waits for a judge.

    Returns whether the judge confirmed it.
    """
    with contextlib.suppress(BusFullError):  # an order takes effect on this replica even if the bus does not take it
        bus.publish(topic(CONTROL), encode_order(order), key=f"{order.model}/{order.scope}")
        if engine.router.wait_confirmed(order, CONFIRMATION_SECONDS):
            return True
    if order.order not in GROUP_ORDERS:
        engine.router.force(order)
    return False
