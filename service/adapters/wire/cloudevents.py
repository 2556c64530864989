"""Payload events: requests and answers of a model that somebody else serves, as KServe's and Seldon's loggers tell.

CloudEvents 1.0: over HTTP in binary, structured or batched form (`http-protocol-binding.md`), on a topic structured, as
JSON (`json-format.md`). A request's event and its answer's have the same id.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import orjson

from tightrope.service.adapters.wire.envelope import WireError
from tightrope.service.errors import quote

SPEC = "1.0"
MODEL = "tightropemodel"
"""The attribute that names the model here; events that others put on the topic may have KServe's own."""

SERVICE = "inferenceservicename"
KINDS = {".inference.request": "request", ".inference.response": "response"}
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
MOST_ATTRIBUTES, MOST_ATTRIBUTE = 64, 4096
"""Attributes of an event, and characters of one."""

MOST_ID = 256
_DATA = frozenset({"data", "data_base64"})


@dataclass(frozen=True, slots=True)
class PayloadEvent:
    """One of the two halves. ``time`` in seconds since the epoch, if it was told; ``data`` the body as it was sent."""

    id: str
    kind: str
    time: float | None
    data: bytes
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes that it holds, near enough."""
        return len(self.data) + sum(map(len, self.attributes.values()))

    @property
    def model(self) -> str:
        """The model that it is about; empty where it does not say."""
        return self.attributes.get(MODEL) or self.attributes.get(SERVICE, "")

    def header(self, name: str) -> str | None:
        """A header of the request or answer, where the logger passed it on in ``metadata``."""
        try:
            told: object = json.loads(self.attributes.get("metadata") or "{}")
        except (ValueError, RecursionError):
            return None
        headers = told if isinstance(told, dict) else {}
        value: object = next((headers[key] for key in headers if key.lower() == name.lower()), None)
        first = value[0] if isinstance(value, list) and value else value
        return first if isinstance(first, str) else None


def read(headers: Mapping[str, str], body: bytes) -> list[PayloadEvent]:
    """The events of an HTTP request; header names in lower case.

    Raises:
        WireError: when they are not payload events.
    """
    content = headers.get("content-type", "")
    form = content.lower()
    if form.startswith(BATCH):
        found = _json(body)
        if not isinstance(found, list):
            raise WireError("a batch of events must be a JSON array")
        return [_structured(one) for one in found]
    if form.startswith(STRUCTURED):
        return [decode(body)]
    told = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if content:
        told["datacontenttype"] = content
    return [_event(told, body)]


def encode(event: PayloadEvent, model: str) -> bytes:
    """An event of this model as a record: structured JSON, its data as JSON where that is what they are."""
    told: dict[str, object] = {**event.attributes, MODEL: model}
    try:
        orjson.loads(event.data)
        told["data"] = orjson.Fragment(event.data)
    except orjson.JSONDecodeError:
        told["data_base64"] = base64.b64encode(event.data).decode()
    return orjson.dumps(told)


def decode(record: bytes) -> PayloadEvent:
    """A record's event.

    Raises:
        WireError: when it is none.
    """
    return _structured(_json(record))


def _json(body: bytes) -> Any:  # noqa: ANN401 - whatever it is
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WireError(f"not a payload event: {error}") from error


def _structured(found: object) -> PayloadEvent:
    if not isinstance(found, dict):
        raise WireError("not a payload event: it must be a JSON object")
    if "data_base64" in found:
        try:
            data = base64.b64decode(found["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise WireError(f"data_base64: {error}") from error
    else:
        data = orjson.dumps(found.get("data"))
    return _event({name: value for name, value in found.items() if name not in _DATA}, data)


def _event(told: Mapping[str, object], data: bytes) -> PayloadEvent:
    """An event from its attributes, checked."""
    if told.get("specversion") != SPEC:
        raise WireError(f"specversion: is {quote(told.get('specversion'))}; it must be {SPEC!r}")
    if len(told) > MOST_ATTRIBUTES:
        raise WireError(f"has {len(told)} attributes, more than {MOST_ATTRIBUTES}")
    attributes = {name: _text(name, value) for name, value in told.items() if value is not None}
    if not 0 < len(attributes.get("id", "")) <= MOST_ID:
        raise WireError(f"id: is {quote(attributes.get('id'))}; it must have 1 to {MOST_ID} characters")
    kind = next((kind for end, kind in KINDS.items() if attributes.get("type", "").endswith(end)), None)
    if kind is None:
        raise WireError(f"type: is {quote(attributes.get('type'))}; it must end in {' or '.join(KINDS)}")
    return PayloadEvent(attributes["id"], kind, _time(attributes.get("time")), data, attributes)


def _text(name: str, value: object) -> str:
    """CloudEvents has numbers and booleans, too; a header is text anyway."""
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) > MOST_ATTRIBUTE:
        raise WireError(f"{quote(name)}: has more than {MOST_ATTRIBUTE} characters")
    return text


def _time(text: str | None) -> float | None:
    """RFC 3339 in seconds since the epoch; an event without a time that can be read is an event all the same."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
