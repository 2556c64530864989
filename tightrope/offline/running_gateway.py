"""A running gateway that commands ask over HTTP: by its configuration file or its address, with a token for orders."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from tightrope.offline.gateway_address import gateway_address
from tightrope.service.adapters.open_inference.codec import HTTP_OK, HttpReply
from tightrope.service.adapters.open_inference.http_client import HttpClient
from tightrope.service.adapters.ports import UnreachableError
from tightrope.service.config.access import command_token
from tightrope.service.config.loader import TOKEN_VARIABLE, load, operator_token
from tightrope.service.errors import TightropeError, quote

REPLY_SECONDS = 10.0
"""Time limit for an answer of the gateway; an order waits for the judge's word."""

DOWNLOAD_SECONDS = 120.0
"""Time limit for a file, which the gateway makes when it is asked for."""

DEPLOYMENT_SECONDS = 600.0
"""Time limit for a deployment, which loads and tries the artefact."""


class NoReplyError(TightropeError):
    """The gateway did not answer, or what answered is no gateway."""


class RefusedRequestError(TightropeError):
    """The gateway refused a request; the message has its reason."""


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A running gateway, by its ``url``, with the ``token`` for orders if there is one."""

    url: str
    token: str | None = None

    @classmethod
    def of(cls, config: Path | None, url: str | None, token_file: Path | None = None) -> Self:
        """The gateway of a configuration file, or at an address: one of both is given.

        Raises:
            ConfigError: when the configuration, or the file of the token, cannot be read.
        """
        if config is None:
            return cls(str(url), operator_token(token_file))
        settings = load(config)
        token = operator_token(token_file) if token_file else command_token(settings)
        return cls(gateway_address(settings), token)

    def get(self, path: str, **query: object) -> Mapping[str, Any]:
        """The JSON at a path; a query without a value is left out.

        Raises:
            NoReplyError: when the gateway does not answer.
            RefusedRequestError: when it refuses the request.
        """
        wanted = urlencode({name: value for name, value in query.items() if value is not None})
        return self._ask("GET", f"{path}?{wanted}" if wanted else path)

    def download(self, path: str) -> bytes:
        """The file at a path, which takes the token.

        Raises:
            NoReplyError: when the gateway does not answer within two minutes.
            RefusedRequestError: when it refuses the request, or there is no token.
        """
        if self.token is None:
            raise RefusedRequestError(f"{TOKEN_VARIABLE}: is not set; a file takes the control token of the gateway")
        answer = self._reply("GET", path, seconds=DOWNLOAD_SECONDS)
        if answer.status != HTTP_OK:
            self._document(answer)
        return answer.body

    def order(self, path: str, body: Mapping[str, object], seconds: float = REPLY_SECONDS) -> Mapping[str, Any]:
        """Give an order, with the token; returns the gateway's JSON.

        Raises:
            NoReplyError: when the gateway does not answer within ``seconds``.
            RefusedRequestError: when it refuses the order, or there is no token.
        """
        if self.token is None:
            raise RefusedRequestError(f"{TOKEN_VARIABLE}: is not set; orders need the control token of the gateway")
        return self._ask("POST", path, json.dumps(body).encode(), seconds)

    def _ask(
        self, method: str, path: str, body: bytes | None = None, seconds: float = REPLY_SECONDS
    ) -> Mapping[str, Any]:
        return self._document(self._reply(method, path, body, seconds))

    def _reply(self, method: str, path: str, body: bytes | None = None, seconds: float = REPLY_SECONDS) -> HttpReply:
        try:
            client = HttpClient(self.url, seconds, self.token)
            return client.request(method, path, body, {"Content-Type": "application/json"} if body else None)
        except (UnreachableError, ValueError) as error:
            raise NoReplyError(f"{self.url}: {quote(str(error))}") from error

    def _document(self, answer: HttpReply) -> Mapping[str, Any]:
        try:
            document: Mapping[str, Any] = json.loads(answer.body)
            if answer.status == HTTP_OK:
                return document
            reason = str(document["error"])
        except (ValueError, KeyError, TypeError) as error:
            raise NoReplyError(f"{self.url}: {quote(str(error))}") from error
        raise RefusedRequestError(f"{self.url}: {reason}")
