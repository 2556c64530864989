"""A model that lives elsewhere, on any server of the Open Inference Protocol v2, as `ports.Model`.

There is no file to take a digest of: it is taken of the server's address, the model's name, and the version that the
configuration asks for, or else those that the server told at start.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import orjson

from tightrope.monitors.records import Tensors
from tightrope.service.adapters.open_inference.circuit_breaker import Breaker
from tightrope.service.adapters.open_inference.codec import OK, Reply, decode, encode, said
from tightrope.service.adapters.ports import Model, RunFailedError, UnreachableError
from tightrope.service.errors import TightropeError
from tightrope.service.protocol.tensors import TensorSpec, zeros

if TYPE_CHECKING:
    from tightrope.service.adapters.open_inference.http_client import Caller

log = logging.getLogger(__name__)

AWAY = frozenset({401, 403, 404, 408, 429, 502, 503, 504})
"""Statuses that speak of the server and not of the input."""

BINARY = frozenset({"binary_tensor_data", "binary_data"})
"""What servers call the binary-tensor extension."""


class EndpointError(TightropeError):
    """The model elsewhere cannot be served."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which model of which server, and how long to wait for it; as the configuration says it."""

    url: str
    model: str
    version: str | None = None
    timeout: float = 2.0
    max_rows: int = 64
    failures: int = 3
    probe: float = 1.0
    required: bool = True
    token: str | None = None

    @property
    def path(self) -> str:
        """The model's, on that server."""
        version = f"/versions/{quote(self.version, safe='')}" if self.version else ""
        return f"/v2/models/{quote(self.model, safe='')}{version}"

    def __str__(self) -> str:
        return f"{self.url.rstrip('/')}{self.path}"


@dataclass(frozen=True, slots=True)
class Told:
    """What a server tells of a model: nothing of its tensors, if it does not know them."""

    versions: tuple[str, ...] = ()
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    binary: bool = False


def connect(where: Where) -> "EndpointModel":
    """Ask the server what the model is.

    Raises:
        EndpointError: when it does not say, or is not there though it is required.
    """
    try:
        return EndpointModel(where, _describe(where, _caller(where)))
    except UnreachableError as error:
        if where.required:
            raise EndpointError(f"{where}: {error}; start it first, or set required: false") from error
        log.warning("%s: %s; starting without it", where, error)
        return EndpointModel(where, Told(), away=str(error))


def assume(model: Model, like: Model) -> Model:
    """The model, with another's inputs and outputs where its server does not tell them."""
    if not isinstance(model, EndpointModel) or model.inputs:
        return model
    return EndpointModel(model.where, model.told, like, model.breaker.away)


def apart(model: Model) -> Model:
    """The model as another part of this process is to ask it: what fails there is not held against it here."""
    if not isinstance(model, EndpointModel):
        return model
    return EndpointModel(model.where, model.told, model, model.breaker.away)


class EndpointModel:
    """Asks the server for every run. While it is away runs fail at once, and a thread finds out when it is back."""

    def __init__(self, where: Where, told: Told, like: Model | None = None, away: str = "") -> None:
        self.where = where
        self.told = told
        self.inputs = told.inputs or (like.inputs if like else ())
        self.outputs = told.outputs or (like.outputs if like else ())
        named = [where.url.rstrip("/"), where.model, where.version or list(told.versions)]
        self.digest = hashlib.sha256(json.dumps(named).encode()).hexdigest()
        self.breaker = Breaker(str(where), self._look, where.failures, where.probe)
        if away:
            self.breaker.leave(away)
        self._caller = _caller(where)

    def run(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        """Answer one batch, in calls of as many rows as the server takes.

        Raises:
            UnreachableError: when it is not there, or not in time.
            RunFailedError: with the server's own message.
        """
        rows, step = max(map(len, inputs.values())), self.where.max_rows
        if rows <= step or any(spec.shape[:1] != (-1,) for spec in self.inputs):
            return self._call(inputs, outputs)
        parts = [
            self._call({name: tensor[begin : begin + step] for name, tensor in inputs.items()}, outputs)
            for begin in range(0, rows, step)
        ]
        try:
            return {name: np.concatenate([part[name] for part in parts]) for name in outputs}
        except ValueError as error:
            raise RunFailedError(f"the answers to several calls do not fit together: {error}") from error

    def ready(self) -> bool:
        """Whether its server says now that it is there, and the model with it; asked whoever answers meanwhile."""
        try:
            return self._caller.ask("GET", f"{self.where.path}/ready").status == OK
        except UnreachableError:
            return False

    def _call(self, inputs: Tensors, outputs: Sequence[str]) -> Tensors:
        self.breaker.check()
        try:
            answer = decode(self._infer(inputs, outputs), outputs)
        except UnreachableError as error:
            self.breaker.failed(str(error))
            raise
        except RunFailedError:
            self.breaker.succeeded()  # it is there: what failed is this input
            raise
        self.breaker.succeeded()
        return answer

    def _infer(self, inputs: Tensors, outputs: Sequence[str]) -> Reply:
        body, headers = encode(inputs, outputs, binary=self.told.binary)
        return _present(self._caller.ask("POST", f"{self.where.path}/infer", body, headers))

    def _look(self) -> None:
        """Find it ready, as it was or should be, and answering a row of zeros, if only with a refusal.

        Raises:
            TightropeError: saying what is not so.
        """
        _present(self._caller.ask("GET", f"{self.where.path}/ready"), OK)
        told = _describe(self.where, self._caller)
        for ours, theirs in ((self.inputs, told.inputs), (self.outputs, told.outputs)):
            if theirs and set(ours) != set(theirs):
                raise EndpointError(f"{self.where}: takes or gives {theirs}, where {ours} is needed")
        self.told = replace(self.told, binary=told.binary)
        try:
            self._infer(zeros(self.inputs), [spec.name for spec in self.outputs])
        except UnreachableError:
            raise
        except RunFailedError:
            pass  # zeros without a form that it understands: it is there all the same


def _present(reply: Reply, *statuses: int) -> Reply:
    """The reply of a server that is there: of one of these statuses, or any that does not say otherwise."""
    if reply.status in AWAY or (statuses and reply.status not in statuses):
        raise UnreachableError(f"status {reply.status}: {said(reply)}")
    return reply


def _caller(where: Where) -> "Caller":
    """Its library takes as long to load as ten models: only where one lives elsewhere."""
    from tightrope.service.adapters.open_inference.http_client import Caller  # noqa: PLC0415 - see above

    return Caller(where.url, where.timeout, where.token)


def _describe(where: Where, caller: "Caller") -> Told:
    """The server's extensions, and the model's metadata."""
    server = _json(where, caller.ask("GET", "/v2"))
    model = _json(where, _present(caller.ask("GET", where.path), OK))
    try:
        inputs, outputs = (tuple(map(_spec, model.get(side) or ())) for side in ("inputs", "outputs"))
        versions = tuple(map(str, model.get("versions") or ()))
    except (TightropeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise EndpointError(f"{where}: its metadata cannot be used: {type(error).__name__}: {error}") from error
    binary = bool(BINARY & set(map(str, server.get("extensions") or ())))
    if not inputs or not outputs:
        return Told(versions, binary=binary)
    return Told(versions, inputs, outputs, binary)


def _json(where: Where, reply: Reply) -> dict[str, Any]:
    """An answer's JSON object; an empty one where a server does not have that page."""
    try:
        told = orjson.loads(reply.body) if reply.status == OK else {}
    except orjson.JSONDecodeError as error:
        raise EndpointError(f"{where}: its server does not speak the Open Inference Protocol: {error}") from error
    if not isinstance(told, dict):
        raise EndpointError(f"{where}: its server does not speak the Open Inference Protocol")
    return told


def _spec(told: dict[str, Any]) -> TensorSpec:
    return TensorSpec(str(told["name"]), str(told["datatype"]), tuple(max(int(side), -1) for side in told["shape"]))
