"""The fuzzer's own connection over HTTP: it sends anything, and opens another one where the server closed it."""

import http.client
from typing import Self
from urllib.parse import quote, urlsplit

from tests.support.fuzz.http_requests import HttpRequest


class HttpSender:
    """Sends one request after another."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, request: HttpRequest) -> tuple[int, bytes]:
        """The status and the body of the answer.

        Raises:
            http.client.HTTPException, OSError: when no answer comes.
        """
        try:
            return self._send(request)
        except (http.client.RemoteDisconnected, ConnectionError):  # closed after an earlier answer
            self._connection.close()
            return self._send(request)

    def _send(self, request: HttpRequest) -> tuple[int, bytes]:
        headers = {name: value.encode("latin-1", "replace") for name, value in request.headers.items()}
        path = quote(request.path, safe="/?&=%:;,.~!$'()*+@-_")
        self._connection.request(request.method, path, request.body or None, headers)
        with self._connection.getresponse() as answer:
            return answer.status, answer.read()
