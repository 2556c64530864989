"""HTTP to the server of a remote model: pooled connections, one deadline for a whole call, bounded responses."""

import time
from collections.abc import Iterator, Mapping

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util import Timeout, parse_url

from tightrope.service.adapters.open_inference.codec import HttpReply
from tightrope.service.adapters.ports import UnreachableError

CONNECT_SECONDS = 1.0
"""Time limit for a connection, even if responses may take longer."""

POOL_CONNECTIONS = 32
"""Connections kept open: one for each thread that calls at the same time."""

MAX_RESPONSE_BYTES = 256 * 1024 * 1024
"""Maximum size of a response; reading stops there."""

READ_BYTES = 64 * 1024


class HttpClient:
    """A client of one server, whose address may have a path. Safe to share between threads. With a ``relay``, such as
    127.0.0.1:9000, it connects there, and speaks as with the server: by its name, and by its certificate.
    """

    def __init__(self, url: str, timeout: float, token: str | None = None, relay: str | None = None) -> None:
        self._pool = _pool(url, relay)
        self._prefix = (parse_url(url).path or "").rstrip("/")
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if relay is not None:
            self._headers["Host"] = parse_url(url).netloc or ""

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> HttpReply:
        """Send a request, and return the response with any status.

        Raises:
            UnreachableError: when there is no response in time.
        """
        deadline = time.monotonic() + self._timeout
        try:
            try:
                return self._send(deadline, method, path, body, headers)
            except ProtocolError:  # the server closed an idle connection just as it was used again
                return self._send(deadline, method, path, body, headers)
        except (HTTPError, OSError) as error:
            raise UnreachableError(self._describe(error)) from error

    def _send(
        self, deadline: float, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> HttpReply:
        left = self._left(deadline)
        response = self._pool.urlopen(
            method,
            self._prefix + path,
            body=body,
            headers={**self._headers, **(headers or {})},
            retries=False,
            redirect=False,
            timeout=Timeout(connect=min(left, CONNECT_SECONDS), read=left),
            preload_content=False,
        )
        try:
            body = b"".join(self._chunks(response, deadline))
        except BaseException:
            response.close()  # the rest of this response must not be read as the next one
            raise
        response.release_conn()
        return HttpReply(response.status, response.headers, body)

    def _chunks(self, response: urllib3.BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
        size = 0
        while chunk := response.read1(READ_BYTES):  # the available bytes: `read` waits for that many
            size += len(chunk)
            if size > MAX_RESPONSE_BYTES:
                raise UnreachableError(f"the answer has more than {MAX_RESPONSE_BYTES} bytes")
            self._left(deadline)
            yield chunk

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _describe(self, error: Exception) -> str:
        """The error without the names of the library's objects."""
        words = " ".join(str(error).split())
        if isinstance(error, NewConnectionError):  # a subclass of ConnectTimeoutError
            return words.rpartition(": ")[2][:200]
        if isinstance(error, ConnectTimeoutError):
            return f"no connection within {min(self._timeout, CONNECT_SECONDS):g} s"
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return words[:200]


def _pool(url: str, relay: str | None) -> urllib3.HTTPConnectionPool:
    if relay is None:
        return urllib3.connection_from_url(url, maxsize=POOL_CONNECTIONS)
    server = parse_url(url)
    names = {"server_hostname": server.host, "assert_hostname": server.host} if server.scheme == "https" else {}
    return urllib3.connection_from_url(f"{server.scheme}://{relay}", maxsize=POOL_CONNECTIONS, **names)
