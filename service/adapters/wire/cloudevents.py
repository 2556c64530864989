"""Payload events: requests and responses of a model served elsewhere, as the loggers of KServe and Seldon send them.

CloudEvents 1.0: over HTTP in binary, structured or batched mode (`http-protocol-binding.md`), on a topic in structured
mode, as JSON (`json-format.md`). The events of a request and of its response have the same id.
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

CLOUDEVENTS_VERSION = "1.0"
MODEL_ATTRIBUTE = "tightropemodel"
"""The attribute that names the model; events published by other programs may carry KServe's `SERVICE_ATTRIBUTE`."""

SERVICE_ATTRIBUTE = "inferenceservicename"
KIND_BY_SUFFIX = {".inference.request": "request", ".inference.response": "response"}
STRUCTURED_TYPE, BATCH_TYPE = "application/cloudevents+json", "application/cloudevents-batch+json"
MAX_ATTRIBUTES, MAX_ATTRIBUTE_CHARS = 64, 4096
"""Limits: attributes of an event, and characters of one attribute."""

MAX_ID_CHARS = 256
_DATA = frozenset({"data", "data_base64"})


@dataclass(frozen=True, slots=True)
class PayloadEvent:
    """A request or a response; ``time`` in seconds since the epoch, None if unknown, ``data`` the body as sent."""

    id: str
    kind: str
    time: float | None
    data: bytes
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        """Approximate size in bytes."""
        return len(self.data) + sum(map(len, self.attributes.values()))

    @property
    def model(self) -> str:
        """The name of the model; empty if the event has none."""
        return self.attributes.get(MODEL_ATTRIBUTE) or self.attributes.get(SERVICE_ATTRIBUTE, "")

    def header(self, name: str) -> str | None:
        """A header of the request or response, if the logger passed it on in ``metadata``."""
        try:
            metadata: object = json.loads(self.attributes.get("metadata") or "{}")
        except (ValueError, RecursionError):
            return None
        headers = metadata if isinstance(metadata, dict) else {}
        value: object = next((headers[key] for key in headers if key.lower() == name.lower()), None)
        first = value[0] if isinstance(value, list) and value else value
        return first if isinstance(first, str) else None


def read(headers: Mapping[str, str], body: bytes) -> list[PayloadEvent]:
    """The events of an HTTP request; header names in lower case.

    Raises:
        WireError: when they are not payload events.
    """
    content = headers.get("content-type", "")
    mode = content.lower()
    if mode.startswith(BATCH_TYPE):
        events = _json(body)
        if not isinstance(events, list):
            raise WireError("a batch of events must be a JSON array")
        return [_structured(event) for event in events]
    if mode.startswith(STRUCTURED_TYPE):
        return [decode(body)]
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    if content:
        attributes["datacontenttype"] = content
    return [_event(attributes, body)]


def encode(event: PayloadEvent, model: str) -> bytes:
    """An event of this model as a record: structured JSON, with its data inline if they are JSON, else in base64."""
    document: dict[str, object] = {**event.attributes, MODEL_ATTRIBUTE: model}
    try:
        orjson.loads(event.data)
        document["data"] = orjson.Fragment(event.data)
    except orjson.JSONDecodeError:
        document["data_base64"] = base64.b64encode(event.data).decode()
    return orjson.dumps(document)


def decode(record: bytes) -> PayloadEvent:
    """The event of a record.

    Raises:
        WireError: when the record is not a payload event.
    """
    return _structured(_json(record))


def _json(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise WireError(f"not a payload event: {error}") from error


def _structured(document: object) -> PayloadEvent:
    if not isinstance(document, dict):
        raise WireError("not a payload event: it must be a JSON object")
    if document.get("data_base64") is not None:
        try:
            data = base64.b64decode(document["data_base64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise WireError(f"data_base64: {error}") from error
    else:
        data = _data(document.get("data"))
    return _event({name: value for name, value in document.items() if name not in _DATA}, data)


def _data(value: object) -> bytes:
    """The data of an event as JSON."""
    try:
        return orjson.dumps(value)
    except (TypeError, RecursionError) as error:  # orjson reads deeper values than it writes
        raise WireError("data: are nested too deeply") from error


def _event(values: Mapping[str, object], data: bytes) -> PayloadEvent:
    """An event from its attributes, which are checked."""
    if values.get("specversion") != CLOUDEVENTS_VERSION:
        raise WireError(f"specversion: is {quote(values.get('specversion'))}; it must be {CLOUDEVENTS_VERSION!r}")
    if len(values) > MAX_ATTRIBUTES:
        raise WireError(f"has {len(values)} attributes, more than {MAX_ATTRIBUTES}")
    attributes = {name: _text(name, value) for name, value in values.items() if value is not None}
    if not isinstance(values.get("id"), str) or not 0 < len(attributes["id"]) <= MAX_ID_CHARS:
        raise WireError(f"id: is {quote(values.get('id'))}; it must have 1 to {MAX_ID_CHARS} characters")
    kind = next((kind for end, kind in KIND_BY_SUFFIX.items() if attributes.get("type", "").endswith(end)), None)
    if kind is None:
        raise WireError(f"type: is {quote(attributes.get('type'))}; it must end in {' or '.join(KIND_BY_SUFFIX)}")
    return PayloadEvent(attributes["id"], kind, _time(attributes.get("time")), data, attributes)


def _text(name: str, value: object) -> str:
    """An attribute as text: CloudEvents has numbers and booleans in JSON, but text in HTTP headers."""
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except RecursionError as error:
        raise WireError(f"{quote(name)}: is nested too deeply") from error
    if len(text) > MAX_ATTRIBUTE_CHARS:
        raise WireError(f"{quote(name)}: has more than {MAX_ATTRIBUTE_CHARS} characters")
    return text


def _time(text: str | None) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None if it cannot be read, which is no error."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
