import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.net.inet import KafkaNetSocket

from tightrope.service.adapters.kafka.client import connect_client, explain
from tightrope.service.adapters.kafka.options import KafkaOptions


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A server that accepts connections, reads, and closes them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    taken, _ = listening.accept()
                    with taken:
                        taken.recv(4096)

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield listening
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_failed_connection_is_explained(mute: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """The reason that the library only logs becomes the error; the log's level is respected."""
    own = KafkaOptions((f"127.0.0.1:{mute.getsockname()[1]}",))
    for level, shown in (("CRITICAL", False), ("WARNING", True)):
        with (
            caplog.at_level(level, "kafka"),
            pytest.raises(ConnectionError, match=r"^it closes the connection: see security_proto"),
        ):
            connect_client(own, KafkaAdminClient, {**own.admin, "bootstrap_timeout_ms": 300})
        assert any(record.name == "kafka.net.manager" for record in caplog.records) == shown
    gc.collect()


class Waiting:
    """A loop of the library in which no socket ever becomes writable, at which a connect waits."""

    async def wait_write(self, *_: object, **__: object) -> None:
        """Wait for ever."""
        await Never()


class Never:
    """An awaitable that is never done."""

    def __await__(self) -> Iterator[None]:
        yield


def test_socket_is_closed_when_its_client_is_closed_while_it_connects() -> None:
    """The client closes its coroutines; the socket would be left to the garbage collector."""
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as sock:
        sock.settimeout(0)
        connecting = KafkaNetSocket().sock_connect(Waiting(), sock, listening.getsockname())
        connecting.send(None)
        assert sock.fileno() >= 0
        connecting.close()
        assert sock.fileno() == -1


def test_socket_that_is_refused_is_closed() -> None:
    """No one listens there."""
    with socket.socket() as bound, socket.socket() as sock:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(KafkaConnectionError, match="ECONNREFUSED"):
            KafkaNetSocket().sock_connect(Waiting(), sock, bound.getsockname()).send(None)
        assert sock.fileno() == -1


def test_listener_without_tls_is_refused_at_once(mute: socket.socket) -> None:
    """No client is created."""
    own = KafkaOptions((f"127.0.0.1:{mute.getsockname()[1]}",), client={"security_protocol": "SSL"})
    with pytest.raises(ConnectionError, match=r"^it does not speak TLS: see security_protocol \(.*UNEXPECTED_EOF"):
        connect_client(own, None, {})


def test_unreachable_broker_is_reported_at_once() -> None:
    """No client, which would wait, is created; with a proxy the check is skipped."""
    began = time.monotonic()
    with pytest.raises(OSError, match="refused"):
        connect_client(KafkaOptions(("127.0.0.1:1",)), None, {})
    with pytest.raises(OSError, match="no server is configured"):
        connect_client(KafkaOptions(()), None, {})
    assert connect_client(KafkaOptions((), client={"proxy_url": "socks5://p:1"}), dict, {"made": 1})["made"] == 1
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] x", "its certificate is not signed by an authority in ssl_cafile"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] x", "it requires a client certificate, or another one"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] x", "it requires a client certificate, or another one"),
        ("[Error 58] SaslAuthenticationFailedError: x", "it rejects this user or password"),
        (
            "KafkaConnectionError: socket disconnected",
            "it closes the connection: see security_protocol, sasl_mechanism, sasl_",
        ),
    ],
)
def test_known_failures_are_explained(reason: str, said: str) -> None:
    """The first known explanation wins, regardless of the order of failures."""
    found = explain([reason, "KafkaConnectionError: socket disconnected"])
    assert found.startswith(said)
    assert found.endswith(f"({reason})")


def test_unknown_failure_is_reported_unchanged() -> None:
    """The latest failure is reported unchanged."""
    assert explain(["something", "something else"]) == "something else"


@pytest.mark.parametrize("kind", [KafkaAdminClient, KafkaConsumer, KafkaProducer])
def test_failed_attempts_leave_nothing_behind(kind: type) -> None:
    """A broker that accepts connections and answers nothing: no attempt leaves a thread or a socket."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        address = f"127.0.0.1:{hung.getsockname()[1]}"
        arguments = {"bootstrap_servers": [address], "bootstrap_timeout_ms": 200}
        threads, files = [], []
        for _ in range(3):
            with pytest.raises((KafkaError, OSError)):
                connect_client(KafkaOptions((address,)), kind, arguments)
            gc.collect()
            threads.append({*threading.enumerate()})
            files.append(len(list(Path("/proc/self/fd").iterdir())))
        assert threads[2] <= threads[0], "one of another test may have ended meanwhile"
        assert files[2] == files[0]
