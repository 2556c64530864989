"""A remote model on any server of the Open Inference Protocol v2, as `ports.Model`.

Its digest is that of the server's address, the model's name, and the configured version, or else the versions that the
server reported at the start.
"""

import hashlib
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import orjson

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.open_inference.circuit_breaker import CircuitBreaker
from tightrope.service.adapters.open_inference.codec import (
    HTTP_OK,
    HttpReply,
    decode_response,
    encode_request,
    error_text,
)
from tightrope.service.adapters.ports import (
    REMOTE_HOST_CLASS,
    Model,
    RunFailedError,
    UnreachableError,
    loaded_model,
    replace_loaded,
)
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.tensors import TensorSpec, zeros

if TYPE_CHECKING:
    from tightrope.service.adapters.open_inference.http_client import HttpClient

log = logging.getLogger(__name__)

UNAVAILABLE_STATUSES = frozenset({401, 403, 404, 408, 429, 502, 503, 504})
"""Statuses that mean that the server is unavailable, not that the input is wrong."""

BINARY_EXTENSIONS = frozenset({"binary_tensor_data", "binary_data"})
"""Names that servers give to the binary tensor extension."""


class EndpointError(TightropeError):
    """The remote model cannot be served."""


@dataclass(frozen=True, slots=True)
class EndpointAddress:
    """A model of a server, with time limits, as in the section `endpoint` of the configuration. ``relay`` is a host and
    port that is connected to in the place of the server's.
    """

    url: str
    model: str
    version: str | None = None
    timeout: float = 2.0
    max_rows: int = 64
    failures: int = 3
    probe: float = 1.0
    required: bool = True
    token: str | None = None
    relay: str | None = None

    @property
    def path(self) -> str:
        """The model's path on that server."""
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"/v2/models/{quote(self.model, safe='')}{version}"

    def __str__(self) -> str:
        return f"{self.url.rstrip('/')}{self.path}"


@dataclass(frozen=True, slots=True)
class EndpointMetadata:
    """A server's description of a model, without tensors if the server does not report them."""

    versions: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    binary: bool = False


def connect(where: EndpointAddress) -> "EndpointModel":
    """Request the model's metadata from the server.

    Raises:
        EndpointError: when the answer cannot be used, or when a required server cannot be reached.
    """
    try:
        return EndpointModel(where, _describe(where, _http_client(where)))
    except UnreachableError as error:
        if where.required:
            raise EndpointError(f"{where}: {error}; start it first, or set required: false") from error
        log.warning("%s: %s; starting without it", where, error)
        return EndpointModel(where, EndpointMetadata(), open_reason=str(error))


def with_tensors_of(model: Model, like: Model) -> Model:
    """The model, with the inputs and outputs of another one if its server does not report them."""
    if not isinstance(model, EndpointModel) or model.inputs:
        return model
    return EndpointModel(model.where, model.metadata, like, model.breaker.open_reason)


def endpoint_of(model: Model) -> "EndpointModel | None":
    """The remote model behind a model; None for a local one."""
    loaded = loaded_model(model)
    return loaded if isinstance(loaded, EndpointModel) else None


def independent_copy(model: Model, relay: str | None = None, most_seconds: float = math.inf) -> Model:
    """The model with a circuit breaker of its own: failures of another part of the process do not open it. A remote
    one is reached through the ``relay``, if one is given, and a call takes ``most_seconds`` at most.
    """
    endpoint = endpoint_of(model)
    if endpoint is None:
        return model
    where = replace(endpoint.where, relay=relay, timeout=min(endpoint.where.timeout, most_seconds))
    own = EndpointModel(where, endpoint.metadata, endpoint, "" if relay else endpoint.breaker.open_reason)
    return replace_loaded(model, own)


class EndpointModel:
    """Calls the server for every run. While it is unreachable runs fail at once, and a thread probes it."""

    def __init__(
        self, where: EndpointAddress, metadata: EndpointMetadata, like: Model | None = None, open_reason: str = ""
    ) -> None:
        self.host_class = REMOTE_HOST_CLASS
        self.where = where
        self.metadata = metadata
        self.inputs = metadata.inputs or (like.inputs if like else ())
        self.outputs = metadata.outputs or (like.outputs if like else ())
        named = [where.url.rstrip("/"), where.model, where.version or list(metadata.versions)]
        self.digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()
        self.breaker = CircuitBreaker(str(where), self._probe, where.failures, where.probe)
        if open_reason:
            self.breaker.open(open_reason)
        self._client = _http_client(where)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch: in calls of at most ``max_rows`` rows, or in one if an output is not by rows.

        Raises:
            UnreachableError: when the server cannot be reached, or not in time.
            RunFailedError: with the server's error.
        """
        if any(spec.shape[:1] != (-1,) for spec in self.inputs):
            return self._call(inputs, outputs)
        rows, step = max(map(len, inputs.values())), self.where.max_rows
        if rows <= step:
            return self._call(inputs, outputs)
        parts = []
        for begin in range(0, rows, step):
            part = self._call({name: tensor[begin : begin + step] for name, tensor in inputs.items()}, outputs)
            if any(not tensor.ndim or len(tensor) != min(step, rows - begin) for tensor in part.values()):
                return self._call(inputs, outputs)
            parts.append(part)
        try:
            return {name: np.concatenate([part[name] for part in parts]) for name in outputs}
        except ValueError as error:
            raise RunFailedError(f"the answers to several calls do not fit together: {error}") from error

    def ready(self) -> bool:
        """Whether the server reports now that the model is ready, regardless of the circuit breaker."""
        try:
            return self._client.request("GET", f"{self.where.path}/ready").status == HTTP_OK
        except UnreachableError:
            return False

    def _call(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        self.breaker.check()
        try:
            answer = decode_response(self._infer(inputs, outputs), outputs)
        except UnreachableError as error:
            self.breaker.record_failure(str(error))
            raise
        except RunFailedError:
            self.breaker.record_success()  # the server is up: this input failed
            raise
        self.breaker.record_success()
        return answer

    def _infer(self, inputs: Tensors, outputs: Sequence[str]) -> HttpReply:
        body, headers = encode_request(inputs, outputs, binary=self.metadata.binary)
        return _require_present(self._client.request("POST", f"{self.where.path}/infer", body, headers))

    def _probe(self) -> None:
        """Check that the server is ready, reports the expected tensors, and answers a row of zeros.

        Raises:
            TightropeError: with the first check that fails.
        """
        _require_present(self._client.request("GET", f"{self.where.path}/ready"), HTTP_OK)
        metadata = _describe(self.where, self._client)
        for ours, theirs in ((self.inputs, metadata.inputs), (self.outputs, metadata.outputs)):
            if theirs and set(ours) != set(theirs):
                raise EndpointError(f"{self.where}: takes or gives {theirs}, where {ours} is needed")
        self.metadata = replace(self.metadata, binary=metadata.binary)
        try:
            self._infer(zeros(self.inputs), [spec.name for spec in self.outputs])
        except UnreachableError:
            raise
        except RunFailedError:
            pass  # zeros may be no valid input, but the server answers


def _require_present(reply: HttpReply, *statuses: int) -> HttpReply:
    """The reply, if it has one of these statuses, or any status that does not mean unavailable."""
    if reply.status in UNAVAILABLE_STATUSES or (statuses and reply.status not in statuses):
        raise UnreachableError(f"status {reply.status}: {error_text(reply)}")
    return reply


def _http_client(where: EndpointAddress) -> "HttpClient":
    """A client of the server. Its library takes as long to load as ten models, so only remote models load it."""
    from tightrope.service.adapters.open_inference.http_client import HttpClient  # noqa: PLC0415 - see the docstring

    return HttpClient(where.url, where.timeout, where.token, where.relay)


def _describe(where: EndpointAddress, client: "HttpClient") -> EndpointMetadata:
    """The model's metadata, and whether the server has the binary tensor extension."""
    server = _json(where, client.request("GET", "/v2"))
    model = _json(where, _require_present(client.request("GET", where.path), HTTP_OK))
    try:
        inputs, outputs = (tuple(map(_spec, model.get(side) or ())) for side in ("inputs", "outputs"))
        versions = tuple(map(str, model.get("versions") or ()))
    except (TightropeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EndpointError(f"{where}: its metadata cannot be used: {type(error).__name__}: {error}") from error
    binary = bool(BINARY_EXTENSIONS & set(map(str, server.get("extensions") or ())))
    if not inputs or not outputs:
        return EndpointMetadata(versions, binary=binary)
    return EndpointMetadata(versions, inputs, outputs, binary)


def _json(where: EndpointAddress, reply: HttpReply) -> dict[str, Any]:
    """The JSON object of a reply; empty if the server does not have that page."""
    try:
        document = orjson.loads(reply.body) if reply.status == HTTP_OK else {}
    except orjson.JSONDecodeError as error:
        raise EndpointError(f"{where}: its server does not speak the Open Inference Protocol: {error}") from error
    if not isinstance(document, dict):
        raise EndpointError(f"{where}: its server does not speak the Open Inference Protocol")
    return document


def _spec(entry: dict[str, Any]) -> TensorSpec:
    return TensorSpec(str(entry["name"]), str(entry["datatype"]), tuple(max(int(side), -1) for side in entry["shape"]))
