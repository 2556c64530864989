"""The found groups of a running gateway: the lines of configuration that declare one, and the orders to watch it."""

import getpass
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tightrope.monitors.watched_groups.orders import UNWATCH_GROUP, WATCH_GROUP
from tightrope.offline.running_gateway import RefusedRequestError, RunningGateway


class NoDeclarationError(RefusedRequestError):
    """There is no such group, or nothing can be done about it; the message says what there is."""


class Gateway(RunningGateway):
    """A running gateway, whose found groups are asked for and watched."""

    @classmethod
    def of(cls, config: Path | None, url: str | None, token_file: Path | None = None) -> Self:
        """The gateway of a configuration file, or at an address.

        Raises:
            NoDeclarationError: when both are given, or neither.
            ConfigError: when the configuration cannot be read.
        """
        if (config is None) == (url is None):
            raise NoDeclarationError("CONFIG: give the configuration file of the gateway, or its address with --url")
        return super().of(config, url, token_file)

    def model(self, name: str | None) -> str:
        """The model of this name, or the only one.

        Raises:
            NoDeclarationError: when there are several.
        """
        names = [each["name"] for each in self.get("/v1/models")["models"]] if name is None else [name]
        if len(names) != 1:
            raise NoDeclarationError(f"--model: is missing; it must be one of {', '.join(names)}")
        return str(names[0])

    def group(self, model: str, which: str) -> Mapping[str, Any]:
        """One found group of a model, by its number or the name of its scope.

        Raises:
            NoDeclarationError: when there is no such model or group.
        """
        groups: Sequence[Mapping[str, Any]] = self.get(f"/v1/models/{model}/groups")["groups"]
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

    def watch(self, model: str, scope: str, reason: str, actor: str | None = None, *, undo: bool = False) -> str:
        """Order that a found group is watched as a scope, or ``undo`` that; returns the id of the order.

        Raises:
            RefusedRequestError: when the order is refused, or no judge carries it out in time.
        """
        kind = UNWATCH_GROUP if undo else WATCH_GROUP
        body = {"scope": scope, "reason": reason, "actor": actor or getpass.getuser()}
        answer = self.order(f"/v1/models/{model}/{kind}", body)
        if not answer["confirmed"]:
            raise NoDeclarationError(f"{kind} {scope}: no judge has answered yet; one carries it out when it reads it")
        return str(answer["order"])
