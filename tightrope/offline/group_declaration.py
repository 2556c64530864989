"""The found groups of a running gateway: the lines of configuration that declare one, and the orders to watch it."""

import getpass
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tightrope.monitors.watched_groups.orders import UNWATCH_GROUP, WATCH_GROUP
from tightrope.offline.gateway_address import gateway_address
from tightrope.service.adapters.open_inference.codec import HTTP_OK
from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.config.loader import TOKEN_VARIABLE, control_token, load, operator_token
from tightrope.service.errors import TightropeError, quote

ANSWER_SECONDS = 5.0
"""Time limit for the gateway's answer."""


class NoDeclarationError(TightropeError):
    """There is no such group, or nothing can be done about it; the message says what there is."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway, by its ``url``, with the ``token`` for orders if there is one."""

    url: str
    token: str | None = None

    @classmethod
    def of(cls, config: Path | None, url: str | None) -> Self:
        """The gateway of a configuration file, or at an address.

        Raises:
            NoDeclarationError: when both are given, or neither.
            ConfigError: when the configuration cannot be read.
        """
        if (config is None) == (url is None):
            raise NoDeclarationError("CONFIG: give the configuration file of the gateway, or its address with --url")
        if config is None:
            return cls(str(url), operator_token(None))
        settings = load(config)
        return cls(gateway_address(settings), control_token(settings))

    def model(self, name: str | None) -> str:
        """The model of this name, or the only one.

        Raises:
            NoDeclarationError: when there are several.
        """
        names = [each["name"] for each in self._ask("GET", "/v1/models")["models"]] if name is None else [name]
        if len(names) != 1:
            raise NoDeclarationError(f"--model: is missing; it must be one of {', '.join(names)}")
        return str(names[0])

    def group(self, model: str, which: str) -> Mapping[str, Any]:
        """One found group of a model, by its number or the name of its scope.

        Raises:
            NoDeclarationError: when there is no such model or group.
        """
        groups: Sequence[Mapping[str, Any]] = self._ask("GET", f"/v1/models/{model}/groups")["groups"]
        chosen = next((each for each in groups if which in {str(each["number"]), each["scope"]}), None)
        if chosen is None:
            there = "; ".join(f"{group['number']}: {group['words']}" for group in groups) or "none is found now"
            raise NoDeclarationError(f"GROUP: {model} has no found group {which}; {there}")
        return chosen

    def scope(self, model: str, which: str) -> str:
        """The name under which a found group is watched.

        Raises:
            NoDeclarationError: when there is no such group, or it can have no scope.
        """
        group = self.group(model, which)
        if not group["scope"]:
            raise NoDeclarationError(f"{group['words']}: is known only after the answer, so it cannot be a scope")
        return str(group["scope"])

    def order(self, model: str, scope: str, reason: str, actor: str | None = None, *, undo: bool = False) -> str:
        """Order that a found group is watched as a scope, or ``undo`` that; returns the id of the order.

        Raises:
            NoDeclarationError: when the order is refused, or no judge carries it out in time.
        """
        kind = UNWATCH_GROUP if undo else WATCH_GROUP
        if self.token is None:
            raise NoDeclarationError(f"{TOKEN_VARIABLE}: is not set; orders need the control token of the gateway")
        body = {"scope": scope, "reason": reason, "actor": actor or getpass.getuser()}
        answer = self._ask("POST", f"/v1/models/{model}/{kind}", json.dumps(body).encode())
        if not answer["confirmed"]:
            raise NoDeclarationError(f"{kind} {scope}: no judge has answered yet; one carries it out when it reads it")
        return str(answer["order"])

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
        try:
            client = HttpClient(self.url, ANSWER_SECONDS, self.token)
            answer = client.request(method, path, body, {"Content-Type": "application/json"} if body else None)
            document: Mapping[str, Any] = json.loads(answer.body)
            if answer.status == HTTP_OK:
                return document
            raise NoDeclarationError(f"{self.url}: {document['error']}")
        except (UnreachableError, ValueError, KeyError, TypeError) as error:
            raise NoDeclarationError(f"{self.url}: {quote(str(error))}") from error
