"""HTTP to a server that a model lives on: pooled connections, one deadline for a whole call, bounded answers."""

import time
from collections.abc import Iterator, Mapping

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError
from urllib3.util import Timeout

from tightrope.service.adapters.open_inference.codec import Reply
from tightrope.service.adapters.ports import UnreachableError

CONNECT_SECONDS = 1.0
"""Whoever does not take a connection within so many seconds is not there, however long an answer may take."""

CONNECTIONS = 32
"""Connections that are kept open: as many as threads ask at a time."""

MOST_BYTES = 256 * 1024 * 1024
"""A longer answer is not read to its end."""

CHUNK = 64 * 1024


class Caller:
    """Asks one server, whose address may have a path; safe to share between threads."""

    def __init__(self, url: str, timeout: float, token: str | None = None) -> None:
        self._pool = urllib3.connection_from_url(url, maxsize=CONNECTIONS)
        self._prefix = (urllib3.util.parse_url(url).path or "").rstrip("/")
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        """Send a request, and read the answer, whatever its status.

        Raises:
            UnreachableError: when there is none in time.
        """
        deadline = time.monotonic() + self._timeout
        try:
            try:
                return self._once(deadline, method, path, body, headers)
            except ProtocolError:  # a server may close a connection that was idle just when it is used again
                return self._once(deadline, method, path, body, headers)
        except (HTTPError, OSError) as error:
            raise UnreachableError(self._words(error)) from error

    def _once(
        self, deadline: float, method: str, path: str, body: bytes | None, headers: Mapping[str, str] | None
    ) -> Reply:
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
            response.close()  # what is left of the answer must not be taken for the next one
            raise
        response.release_conn()
        return Reply(response.status, response.headers, body)

    def _chunks(self, response: urllib3.BaseHTTPResponse, deadline: float) -> Iterator[bytes]:
        size = 0
        while chunk := response.read1(CHUNK):  # what is there: `read` waits until there is that much
            size += len(chunk)
            if size > MOST_BYTES:
                raise UnreachableError(f"the answer has more than {MOST_BYTES} bytes")
            self._left(deadline)
            yield chunk

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def _words(self, error: Exception) -> str:
        """What went wrong, without the names of a library's objects."""
        words = " ".join(str(error).split())
        if isinstance(error, NewConnectionError):  # which the library counts among the timeouts
            return words.rpartition(": ")[2][:200]
        if isinstance(error, ConnectTimeoutError):
            return f"no connection within {min(self._timeout, CONNECT_SECONDS):g} s"
        if isinstance(error, ReadTimeoutError | TimeoutError):
            return f"no answer within {self._timeout:g} s"
        return words[:200]
