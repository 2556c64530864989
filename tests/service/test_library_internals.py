"""Names of libraries that are no public interface and that the product relies on, by module.

Each of these libraries is pinned to a minor version. A test that fails here after an update names what has changed, and
which module has to be read again.
"""

import asyncio
import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.coordinator.consumer import ConsumerCoordinator
from kafka.net.compat import KafkaNetClient
from kafka.net.inet import KafkaNetSocket
from kafka.net.manager import KafkaConnectionManager
from kafka.partitioner.default import murmur2
from kafka.producer.sender import Sender
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.structs import MemberState
from prometheus_client import CollectorRegistry
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server as UvicornServer
from uvicorn.server import ServerState

from tests.support.onnx_models import classifier
from tightrope.service.adapters.kafka import client
from tightrope.service.adapters.prometheus.histogram import ManyHistogram
from tightrope.service.api.documentation import LIBRARY_FILES


def module_source(kind: type) -> str:
    """The source of the modules of a class and its bases."""
    files = {inspect.getfile(each) for each in kind.__mro__ if each.__module__ not in {"builtins", "asyncio.protocols"}}
    return "\n".join(Path(file).read_text(encoding="utf-8") for file in sorted(files))


def missing(kind: type, names: Iterable[str]) -> list[str]:
    """The names that a class neither defines nor assigns to ``self`` in the modules of the class and its bases."""
    source = module_source(kind)
    return [n for n in names if not hasattr(kind, n) and not re.search(rf"self\.{n}\b[^=\n]*=[^=]", source)]


def test_missing_names_are_found() -> None:
    """The check itself sees a name that is gone."""
    assert missing(KafkaProducer, ["_sender", "no_such_name"]) == ["no_such_name"]


def test_kafka_clients_have_the_names_that_the_rejoin_patch_replaces() -> None:
    """kafka/rejoin_patch.py: the coordinator's join coroutine, its state and its generation."""
    assert missing(KafkaConsumer, ["_coordinator"]) == []
    names = ["_do_join_and_sync_async", "state", "_generation", "request_rejoin"]
    assert missing(ConsumerCoordinator, names) == []
    assert inspect.iscoroutinefunction(ConsumerCoordinator._do_join_and_sync_async)
    assert list(inspect.signature(ConsumerCoordinator._do_join_and_sync_async).parameters) == ["self"]
    assert MemberState.REBALANCING != MemberState.STABLE


def test_kafka_batches_have_the_names_that_the_decoding_patch_uses() -> None:
    """kafka/decoding_patch.py: the place in the batch, and the fields of a record."""
    names = ["_buffer", "_pos", "_num_records", "_next_record_index", "is_control_batch", "base_offset"]
    names += ["timestamp_type", "LOG_APPEND_TIME", "max_timestamp", "first_timestamp"]
    assert missing(DefaultRecordBatch, names) == []
    fields = ["self", "size_in_bytes", "offset", "timestamp", "timestamp_type", "key", "value", "headers"]
    assert list(inspect.signature(DefaultRecord.__init__).parameters) == fields


def test_kafka_producer_has_the_names_that_the_buffered_producer_uses() -> None:
    """kafka/producer.py: the sender's client and its connection delay, and the forced close."""
    assert missing(KafkaProducer, ["_sender"]) == []
    assert missing(Sender, ["_client", "force_close", "join", "run_once"]) == []
    assert list(inspect.signature(KafkaNetClient.connection_delay).parameters) == ["self", "node_id"]
    assert isinstance(murmur2(b"m"), int)


def test_kafka_sockets_have_the_connect_that_is_replaced() -> None:
    """kafka/client.py: a socket that does not connect is closed."""
    names = ["self", "net", "sock", "sockaddr", "timeout_at"]
    assert list(inspect.signature(client._original_connect).parameters) == names
    assert KafkaNetSocket.sock_connect is client._connect_or_close


def test_kafka_clients_make_their_transport_as_told() -> None:
    """kafka/client.py: the transport of a client whose constructor failed is closed, with its thread."""
    for kind in (KafkaAdminClient, KafkaConsumer, KafkaProducer):
        assert kind.DEFAULT_CONFIG["kafka_client"] is KafkaNetClient
    assert missing(KafkaNetClient, ["_net", "close"]) == []


def test_kafka_log_messages_have_the_form_that_is_parsed() -> None:
    """kafka/client.py: the reason of a failed connection is only in the log of `kafka.net.manager`."""
    assert re.search(r"Bootstrap connection .* failed: %s \(backoff", module_source(KafkaConnectionManager))
    assert {kind.__name__: bool(kind.DEFAULT_CONFIG) for kind in (KafkaProducer, KafkaConsumer, KafkaAdminClient)} == {
        "KafkaProducer": True,
        "KafkaConsumer": True,
        "KafkaAdminClient": True,
    }


def test_prometheus_histogram_has_the_names_that_are_filled() -> None:
    """prometheus/histogram.py: upper bounds with infinity last, one counter a bucket, and the sum."""
    child = ManyHistogram("h", "A histogram.", ["l"], registry=CollectorRegistry(), buckets=(1, 2)).labels("x")
    assert child._upper_bounds == [1.0, 2.0, float("inf")]
    child._buckets[0].inc(3)
    child._sum.inc(1.5)
    assert [bucket.get() for bucket in child._buckets] == [3, 0, 0]
    assert child._sum.get() == 1.5


def test_onnxruntime_session_has_the_run_that_is_called(tmp_path: Path) -> None:
    """adapters/onnxruntime.py: the C++ session takes output names, inputs and run options."""
    path = classifier(tmp_path / "c.onnx", np.ones((1, 2), np.float32))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session._sess.run(["probabilities"], {"input": np.ones((3, 1), np.float32)}, None)
    assert np.asarray(output).shape == (3, 2)


class NoApplication:
    """An ASGI application that is never called."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        """Do nothing."""


@pytest.fixture
def connection() -> HttpToolsProtocol:
    """A connection of uvicorn that has no transport yet."""
    config = Config(app=NoApplication(), http=HttpToolsProtocol)
    config.load()
    loop = asyncio.new_event_loop()
    try:
        return HttpToolsProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    finally:
        loop.close()


def test_uvicorn_protocol_has_the_names_that_the_fast_path_uses(connection: HttpToolsProtocol) -> None:
    """transport/http/uvicorn_protocol.py: state of a connection, callbacks of the parser, the keep-alive timer."""
    state = ["cycle", "flow", "pipeline", "parser", "loop", "transport", "headers", "server_state"]
    state += ["timeout_keep_alive", "timeout_keep_alive_task"]
    assert [name for name in state if name not in vars(connection)] == []
    assert missing(HttpToolsProtocol, ["url"]) == []
    callbacks = ["data_received", "connection_lost", "timeout_keep_alive_handler", "on_response_complete"]
    callbacks += ["on_message_begin", "on_header", "on_headers_complete", "on_body", "on_message_complete"]
    assert [name for name in callbacks if not callable(getattr(HttpToolsProtocol, name, None))] == []
    assert connection.cycle is None
    parser = ["should_keep_alive", "get_method", "get_http_version"]
    assert [name for name in parser if not callable(getattr(connection.parser, name, None))] == []
    assert missing(FlowControl, ["read_paused", "write_paused"]) == []
    assert missing(ServerState, ["default_headers", "total_requests"]) == []


def test_uvicorn_protocol_has_the_names_that_a_connection_replaces(connection: HttpToolsProtocol) -> None:
    """transport/http/connection.py: requests start in one place, and the newest of those that wait is on the left."""
    names = ["_start_asgi_task", "_unset_keepalive_if_required", "send_400_response", "shutdown", "eof_received"]
    assert [name for name in names if not callable(getattr(HttpToolsProtocol, name, None))] == []
    source = module_source(HttpToolsProtocol)
    assert source.count("self._start_asgi_task(") == 2, "at once, and from the queue"
    assert (source.count("self.pipeline.appendleft("), source.count("self.pipeline.pop()")) == (1, 1)
    parser = ["should_upgrade", "set_dangerous_leniencies", "feed_data"]
    assert [name for name in parser if not callable(getattr(connection.parser, name, None))] == []
    assert missing(RequestResponseCycle, ["response_started", "waiting_for_100_continue", "keep_alive"]) == []


def test_uvicorn_server_has_the_names_that_are_replaced() -> None:
    """serving/server.py: start and end, and what they read and set."""
    names = ["startup", "shutdown", "capture_signals", "handle_exit", "serve", "on_tick"]
    assert [name for name in names if not callable(getattr(UvicornServer, name, None))] == []
    assert missing(UvicornServer, ["should_exit", "started", "server_state"]) == []
    assert missing(ServerState, ["connections", "tasks"]) == []


def test_uvicorn_cycle_has_the_names_that_the_fast_path_imitates() -> None:
    """The protocol reads these of its cycle, for which an exchange of the fast path stands."""
    source = module_source(HttpToolsProtocol)
    used = {*re.findall(r"self\.cycle\.(\w+)", source)}
    assert used == {"response_complete", "disconnected", "message_event", "body", "more_body", "keep_alive"}
    assert missing(RequestResponseCycle, used) == []
    assert STATUS_LINE[200] == b"HTTP/1.1 200 OK\r\n"


def test_page_of_the_api_has_swagger_ui_5() -> None:
    """Only from version 5 on it draws OpenAPI 3.1; the files lie where the package has them."""
    script = (LIBRARY_FILES / "swagger-ui-bundle.js").read_text(encoding="utf-8")
    assert re.search(r'PACKAGE_VERSION:"5\.[0-9.]+"', script)
    assert "SwaggerUIBundle" in script
    assert (LIBRARY_FILES / "swagger-ui.css").is_file()
