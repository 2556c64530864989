import gc
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from kafka import KafkaAdminClient

from tightrope.service.adapters.kafka.client import connected, meant
from tightrope.service.adapters.kafka.options import KafkaOptions


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """Takes connections, reads what it gets, and hangs up."""
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
def test_client_that_cannot_connect_says_why(mute: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """What it only logs becomes the error; that log is as quiet or as loud as it was told to be."""
    own = KafkaOptions((f"127.0.0.1:{mute.getsockname()[1]}",))
    for level, shown in (("CRITICAL", False), ("WARNING", True)):
        with caplog.at_level(level, "kafka"), pytest.raises(ConnectionError, match=r"^it hangs up: see security_proto"):
            connected(own, KafkaAdminClient, {**own.admin, "bootstrap_timeout_ms": 300})
        assert any(record.name == "kafka.net.manager" for record in caplog.records) == shown
    gc.collect()


def test_door_without_tls_is_refused_at_once(mute: socket.socket) -> None:
    """Before a client is made."""
    own = KafkaOptions((f"127.0.0.1:{mute.getsockname()[1]}",), client={"security_protocol": "SSL"})
    with pytest.raises(ConnectionError, match=r"^it does not speak TLS: see security_protocol \(.*UNEXPECTED_EOF"):
        connected(own, None, {})


def test_broker_that_is_not_there_is_said_at_once() -> None:
    """Before a client is made, which would wait for it; with a proxy on the way nobody can know."""
    began = time.monotonic()
    with pytest.raises(OSError, match="refused"):
        connected(KafkaOptions(("127.0.0.1:1",)), None, {})
    with pytest.raises(OSError, match="no broker is named"):
        connected(KafkaOptions(()), None, {})
    assert connected(KafkaOptions((), client={"proxy_url": "socks5://p:1"}), dict, {"made": 1}) == {"made": 1}
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] x", "its certificate is not one that ssl_cafile vouches for"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] x", "it wants a certificate of ours, or another one"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] x", "it wants a certificate of ours, or another one"),
        ("[Error 58] SaslAuthenticationFailedError: x", "it does not know this user with this password"),
        ("KafkaConnectionError: socket disconnected", "it hangs up: see security_protocol, sasl_mechanism, sasl_"),
    ],
)
def test_failures_have_a_meaning(reason: str, said: str) -> None:
    """The most telling one, whichever came last."""
    found = meant([reason, "KafkaConnectionError: socket disconnected"])
    assert found.startswith(said)
    assert found.endswith(f"({reason})")


def test_failure_that_nobody_knows_is_told_as_it_was() -> None:
    """The latest."""
    assert meant(["something", "something else"]) == "something else"
