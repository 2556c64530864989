"""The found groups of a running gateway, and the lines of configuration that declare one as a subgroup."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tightrope.offline.gateway_address import gateway_address
from tightrope.service.adapters.open_inference.codec import HTTP_OK
from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.config.loader import load
from tightrope.service.errors import TightropeError, quote

ANSWER_SECONDS = 5.0
"""Time limit for the gateway's answer."""


class NoDeclarationError(TightropeError):
    """There is no such group, or nothing to declare; the message says what there is."""


def found_group(source: str, model: str, number: int) -> Mapping[str, Any]:
    """Ask a gateway, by its address or its configuration, for one found group of a model.

    Raises:
        NoDeclarationError: when it does not answer, or has no such model or group, or the group cannot be declared.
        ConfigError: when the configuration cannot be read.
    """
    groups = _groups(_address(source), model)
    chosen = next((group for group in groups if group["number"] == number), None)
    if chosen is None:
        there = "; ".join(f"{group['number']}: {group['words']}" for group in groups) or "none is found now"
        raise NoDeclarationError(f"NUMBER: {model} has no found group {number}; {there}")
    if not chosen["declaration"]:
        raise NoDeclarationError(f"{chosen['words']}: subgroups are cut from input columns, this group is not")
    return chosen


def _address(source: str) -> str:
    return source if source.startswith(("http://", "https://")) else gateway_address(load(Path(source)))


def _groups(url: str, model: str) -> list[Mapping[str, Any]]:
    try:
        answer = HttpClient(url, ANSWER_SECONDS).request("GET", f"/v1/models/{model}/groups")
        document = json.loads(answer.body)
        if answer.status == HTTP_OK:
            return list(document["groups"])
        raise NoDeclarationError(f"{url}: {document['error']}")
    except (UnreachableError, ValueError, KeyError, TypeError) as error:
        raise NoDeclarationError(f"{url}: {quote(str(error))}") from error
