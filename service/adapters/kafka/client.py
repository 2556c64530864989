"""Creation of clients of the Kafka library, with errors that name the cause and the option to correct.

The library's own error says only that it could not connect.
"""

import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from kafka.errors import KafkaTimeoutError
from kafka.net.inet import KafkaNetSocket

from tightrope.service.adapters.kafka.decoding_patch import correct_decoding
from tightrope.service.adapters.kafka.options import KafkaOptions

T = TypeVar("T")

PROBE_SECONDS, HANDSHAKE_SECONDS = 1.0, 10.0

CLOSE_MS = 1000
"""Milliseconds to wait for the thread of a client that could not connect."""

ERROR_LOG_SECONDS = 60.0
"""Seconds between two log lines about failures of one reader or producer."""

EXPLANATIONS = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not signed by an authority in ssl_cafile"),
    ("CERTIFICATE", "it requires a client certificate, or another one: see ssl_certfile and ssl_keyfile"),
    (
        "SaslAuthenticationFailed",
        "it rejects this user or password: see sasl_plain_username, password_file",
    ),
    ("UnsupportedSaslMechanism", "it does not support this sasl_mechanism"),
    ("Invalid frame length", "it expects TLS: see security_protocol"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS: see security_protocol"),
    ("UNEXPECTED_EOF", "it does not speak TLS: see security_protocol"),
    ("reset by peer", "it closes the connection: see security_protocol"),
    (
        "socket disconnected",
        "it closes the connection: see security_protocol, sasl_mechanism, sasl_plain_username, password_file",
    ),
)
"""Parts of the library's log messages and their explanations; the first match wins. A broker that rejects a password
may close the connection before its reason is read.
"""


class _ConnectionErrors(logging.Filter):
    """Keeps the reasons of failed connections; the parent logger's level still decides what is printed."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self.reasons: deque[str] = deque(maxlen=64)
        self._logger = logger
        logger.setLevel(logging.WARNING)
        logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the reason of a failed connection; drop records that the parent logger would not print."""
        head, separator, reason = record.getMessage().partition(" failed: ")
        if separator and head.startswith("Bootstrap connection"):
            self.reasons.append(reason.partition(" (backoff")[0])
        parent = self._logger.parent
        return parent is None or parent.isEnabledFor(record.levelno)


_connection_errors = _ConnectionErrors(logging.getLogger("kafka.net.manager"))


_original_connect = KafkaNetSocket.sock_connect


async def _connect_or_close(self: Any, net: Any, sock: socket.socket, *where: Any, **limits: Any) -> socket.socket:  # noqa: ANN401 - the library has no types
    """Connect a socket of the library, and close it where that fails or the client is closed meanwhile: the library
    leaves it to the garbage collector (3.0.12).
    """
    try:
        await _original_connect(self, net, sock, *where, **limits)
    except BaseException:
        sock.close()
        raise
    return sock


KafkaNetSocket.sock_connect = _connect_or_close


def connect_client(options: KafkaOptions, kind: Any, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - the library has no types
    """A client of this class.

    Raises:
        OSError: when no broker can be reached, or none accepts the connection.
        KafkaError: when the client fails for another reason.
    """
    _probe_servers(options)
    correct_decoding()
    _connection_errors.reasons.clear()
    transports: list[Any] = []

    def make_transport(**config: Any) -> Any:  # noqa: ANN401 - see above
        transports.append(kind.DEFAULT_CONFIG["kafka_client"](**config))
        return transports[-1]

    try:
        return kind(**arguments, kafka_client=make_transport)
    except BaseException as error:
        for transport in transports:
            _close_transport(transport)
        if not isinstance(error, KafkaTimeoutError) or not _connection_errors.reasons:
            raise
        raise ConnectionError(explain(_connection_errors.reasons)) from error


def _close_transport(transport: Any) -> None:  # noqa: ANN401 - see above
    """Close the transport of a client whose constructor failed: it would leave its thread and sockets behind (3.0.12),
    with each attempt to connect to a broker that does not answer.
    """
    with suppress(Exception):
        transport.close()
    transport._net.stop(CLOSE_MS)  # noqa: SLF001 - there is no public way


def explain(reasons: Sequence[str]) -> str:
    """The explanation of failures, with the library's own words; the last failure where none is known."""
    known = (f"{text} ({reason})" for sign, text in EXPLANATIONS for reason in reasons if sign in reason)
    return next(known, reasons[-1])


def _probe_servers(options: KafkaOptions) -> None:
    """Connect to one of the servers first: a client that cannot connect would wait, and leak sockets."""
    if "proxy_url" in options.client:
        return
    failure = OSError("no server is configured")
    for server in options.servers:
        host, _, port = server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS) as connection:
                _probe_tls(connection, host.strip("[]"), options.client)
                return
        except OSError as error:
            failure = ConnectionError(explain([str(error)]))
    raise failure


def _probe_tls(connection: socket.socket, host: str, client: Mapping[str, Any]) -> None:
    """A TLS handshake with the options that the library will use."""
    if client.get("security_protocol") not in {"SSL", "SASL_SSL"}:
        return
    context = ssl.create_default_context(cafile=client.get("ssl_cafile"))
    context.check_hostname = bool(client.get("ssl_check_hostname", True))
    if "ssl_certfile" in client:
        context.load_cert_chain(client["ssl_certfile"], client.get("ssl_keyfile"), client.get("ssl_password"))
    if "ssl_crlfile" in client:
        context.load_verify_locations(client["ssl_crlfile"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    connection.settimeout(HANDSHAKE_SECONDS)
    with context.wrap_socket(connection, server_hostname=host):
        return


def call_with_timeout(seconds: float, call: Callable[..., T], *args: object, **kwargs: object) -> T:
    """The result of a call, made in a thread that is abandoned at the timeout: some calls of the client never return
    while a leader changes, even with a timeout (3.0.12).

    Raises:
        KafkaTimeoutError: when it takes longer.
    """
    result: Future[T] = Future()

    def run() -> None:
        try:
            result.set_result(call(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            result.set_exception(error)

    threading.Thread(target=run, name="kafka-call", daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError as error:
        raise KafkaTimeoutError(f"no answer within {seconds:g} s") from error
