"""Requests that are not HTTP: the error has the form of all errors, and other callers are served."""

import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.support.servers import Server

GET = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\nhello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + GET + b"\r\n",
        b"GET /v2/health/live HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
        b"BREW /v2 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n",
        GET + b"no colon\r\n\r\n",
        GET + b" folded: x\r\n\r\n",
        GET + b"Content-Length: x\r\n\r\n",
        GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        GET + b"Content-Length: -1\r\n\r\n",
        GET + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        GET + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        GET + b"X: \x00\r\n\r\n",
    ],
)
def test_request_that_cannot_be_parsed_gets_the_usual_error(server: Server, sent: bytes) -> None:
    """400 with a JSON body, and the connection is closed."""
    address = urlsplit(server.address)
    with socket.create_connection((address.hostname, address.port), timeout=10.0) as line:
        line.sendall(sent)
        received = b""
        while data := line.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    status, *headers = head.lower().split(b"\r\n")
    assert status.startswith(b"http/1.1 400 "), received
    assert {b"content-type: application/json", b"connection: close"} <= {*headers}
    assert [*json.loads(body)] == ["error"]
    assert server.client.get("/v2/health/live").json() == {"live": True}
