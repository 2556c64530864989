"""Making a client of the Kafka library. One that cannot connect says only that it could not; why is said here, with
what would be right.
"""

import logging
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from kafka.errors import KafkaTimeoutError

from tightrope.service.adapters.kafka.options import KafkaOptions

T = TypeVar("T")

KNOCK_SECONDS, HANDSHAKE_SECONDS = 1.0, 10.0

REMEDIES = (
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not one that ssl_cafile vouches for"),
    ("CERTIFICATE", "it wants a certificate of ours, or another one: see ssl_certfile and ssl_keyfile"),
    (
        "SaslAuthenticationFailed",
        "it does not know this user with this password: see sasl_plain_username, password_file",
    ),
    ("UnsupportedSaslMechanism", "it has no such sasl_mechanism"),
    ("Invalid frame length", "it speaks TLS: see security_protocol"),
    ("WRONG_VERSION_NUMBER", "it does not speak TLS: see security_protocol"),
    ("UNEXPECTED_EOF", "it does not speak TLS: see security_protocol"),
    ("reset by peer", "it hangs up: see security_protocol"),
    ("socket disconnected", "it hangs up: see security_protocol, sasl_mechanism, sasl_plain_username, password_file"),
)
"""What the library logs, and what that means; the first that fits is told. A broker that does not like a password may
hang up before its word of it is read.
"""


class _Overhearing(logging.Filter):
    """Keeps why connections failed. What is printed is for others to decide, as before."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self.heard: deque[str] = deque(maxlen=64)
        self._logger = logger
        logger.setLevel(logging.WARNING)
        logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes here first."""
        head, found, reason = record.getMessage().partition(" failed: ")
        if found and head.startswith("Bootstrap connection"):
            self.heard.append(reason.partition(" (backoff")[0])
        parent = self._logger.parent
        return parent is None or parent.isEnabledFor(record.levelno)


_connections = _Overhearing(logging.getLogger("kafka.net.manager"))


def connected(options: KafkaOptions, kind: Any, given: dict[str, Any]) -> Any:  # noqa: ANN401 - the library has no types
    """A client of this kind.

    Raises:
        OSError: when no broker is there, or none lets us in.
        KafkaError: when the client gives up for another reason.
    """
    _knock(options)
    _connections.heard.clear()
    try:
        return kind(**given)
    except KafkaTimeoutError as error:
        if not _connections.heard:
            raise
        raise ConnectionError(meant(_connections.heard)) from error


def meant(reasons: Sequence[str]) -> str:
    """What failures mean, with the words of the library for who must know more; the last where that is not known."""
    found = (f"{remedy} ({reason})" for sign, remedy in REMEDIES for reason in reasons if sign in reason)
    return next(found, reasons[-1])


def _knock(options: KafkaOptions) -> None:
    """A client that cannot connect would wait, and leave sockets behind."""
    if "proxy_url" in options.client:
        return
    failure = OSError("no broker is named")
    for server in options.servers:
        host, _, port = server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), KNOCK_SECONDS) as door:
                _shake_hands(door, host.strip("[]"), options.client)
                return
        except OSError as error:
            failure = ConnectionError(meant([str(error)]))
    raise failure


def _shake_hands(door: socket.socket, host: str, client: Mapping[str, Any]) -> None:
    """As the library will do it."""
    if client.get("security_protocol") not in {"SSL", "SASL_SSL"}:
        return
    context = ssl.create_default_context(cafile=client.get("ssl_cafile"))
    context.check_hostname = bool(client.get("ssl_check_hostname", True))
    if "ssl_certfile" in client:
        context.load_cert_chain(client["ssl_certfile"], client.get("ssl_keyfile"), client.get("ssl_password"))
    if "ssl_crlfile" in client:
        context.load_verify_locations(client["ssl_crlfile"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    door.settimeout(HANDSHAKE_SECONDS)
    with context.wrap_socket(door, server_hostname=host):
        return


def within(seconds: float, call: Callable[..., T], *given: object, **named: object) -> T:
    """What a call gives. From some the client never comes back while a leader changes, whatever timeout it was told
    (3.0.12): then the thread that waits for it is left behind.

    Raises:
        KafkaTimeoutError: when it takes longer.
    """
    found: Future[T] = Future()

    def wait() -> None:
        try:
            found.set_result(call(*given, **named))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
            found.set_exception(error)

    threading.Thread(target=wait, name="kafka-call", daemon=True).start()
    try:
        return found.result(seconds)
    except TimeoutError as error:
        raise KafkaTimeoutError(f"no answer within {seconds:g} s") from error
