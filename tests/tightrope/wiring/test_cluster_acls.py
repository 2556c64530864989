"""Processes with users of their own on a real broker that refuses what no ACL allows."""

import gc
import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.support.cluster.acl_fleet import BUILDERS, Fleet, fleet_of_users, user_of
from tests.support.cluster.cluster import ClusterGateway, get_page, wait_until
from tests.support.harmful_pair import MINORITY, traffic
from tightrope.cli.tail import tail
from tightrope.demo.broker import why_unavailable
from tightrope.monitors.records import MODEL_SCOPE, Order
from tightrope.service.adapters.kafka.permissions import write_denials
from tightrope.service.adapters.kafka.permissions.acls import (
    CREATE,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    GATEWAY_PROCESS,
    GROUP,
    JUDGE_PROCESS,
    PAYLOAD_GATEWAY_PROCESS,
    PERMISSIONS,
    READ,
    TOPIC,
    WORKER_PROCESS,
    WRITE,
    Permission,
    denial_text,
)
from tightrope.service.adapters.ports import NotPermittedError
from tightrope.service.adapters.sqlite.state_file import UNREADABLE_MARK
from tightrope.service.adapters.topics import (
    COMPARISONS,
    CONTROL,
    DEAD,
    EVENTS,
    LABELS,
    PAYLOADS,
    SAMPLES,
    SNAPSHOTS,
    WORKERS_GROUP,
    topic,
)
from tightrope.service.adapters.wire.record_codec import encode_order
from tightrope.service.api.overview import event_log
from tightrope.wiring import topic_watch
from tightrope.wiring.doctor import examination
from tightrope.wiring.doctor.examination import examine
from tightrope.wiring.topics import ensure_topics, kafka_options

READERS = {GATEWAY_PROCESS: "Kafka", PAYLOAD_GATEWAY_PROCESS: "payloads"}
"""The names before the lines of gateways, which go on answering; workers and judges have their own."""

READY = "/v2/health/ready"

GARBAGE = set(map(topic, (SAMPLES, LABELS, PAYLOADS)))
"""The topics that a worker, a judge and a gateway park records of."""

SILENT_JUDGE = {"blind-began", "judge-silent"}
"""Errors of the audit trail where a machine is so busy that the judge is silent for seconds."""

CASES = [pytest.param(p, each, id=f"{p}-{each.operation}-{each.name}") for p in BUILDERS for each in PERMISSIONS[p]]

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""A refused client leaves its sockets to the garbage collector, which each test calls before it ends."""


@pytest.fixture(autouse=True)
def _swept() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet on a broker of this file's own."""
    missing = why_unavailable()
    if missing:
        pytest.skip(missing)
    with fleet_of_users(tmp_path_factory.mktemp("broker"), tmp_path_factory.mktemp("fleet")) as started:
        yield started


@pytest.fixture
def fleet(users: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """The fleet; its processes look for granted permissions sooner, no doctor waits for heartbeats, and all
    are stopped after the test.
    """
    monkeypatch.setattr(topic_watch, "TOPICS_CHECK_SECONDS", 0.5)
    monkeypatch.setattr(topic_watch, "TOPICS_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(write_denials, "DENIED_SECONDS", 0.5)
    monkeypatch.setattr(examination, "LISTEN_SECONDS", 0.1)
    yield users
    users.stop_all()


Messages = Callable[[], list[str]]


@pytest.fixture
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[Messages]:
    """The messages of Tightrope's log from warnings on; no missing permission may have a trace."""
    with caplog.at_level(logging.WARNING, "tightrope"):
        yield lambda: caplog.messages
    assert not re.search("NotPermittedError|AuthorizationFailed", caplog.text)


def roles(gateway: ClusterGateway) -> set[object]:
    """The models that answer the majority."""
    return {answer.parameters["served_by"] for answer in gateway.ask(traffic(7, harm=False)[1:6])}


def test_rows_of_a_worker_that_may_not_write_go_to_the_baseline(fleet: Fleet, messages: Messages) -> None:
    """The permission is taken away under running processes: the worker says so and is not ready, and once the gateway
    is blind the baseline answers. When the permission is granted, without a restart, every row is judged once.
    """
    gateway, worker = ClusterGateway(fleet.start(GATEWAY_PROCESS)), fleet.start(WORKER_PROCESS)
    fleet.start(JUDGE_PROCESS)
    wait_until(lambda: roles(gateway) == {"compressed"})
    with fleet.without(WORKER_PROCESS, Permission(TOPIC, topic(COMPARISONS), WRITE)) as line:
        wait_until(lambda: roles(gateway) == {"baseline"})
        assert gateway.gateway.router.explain("m").startswith("blind: ")
        wait_until(lambda: f"worker: {line}" in messages())
        wait_until(lambda: get_page(worker.app, READY).json().get("reason") == line)
    wait_until(lambda: roles(gateway) == {"compressed"})
    wait_until(lambda: get_page(worker.app, READY).status_code == 200)
    wait_until(lambda: fleet.cluster.judged() >= gateway.kept)
    assert fleet.cluster.judged() == gateway.kept == len(fleet.cluster.compared())


def test_each_process_works_with_its_own_permissions(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    """Requests are sampled, compared and judged, the harmed subgroup is saved, the gateway shows the events and the
    verdicts, an order is confirmed, each process parks a record that cannot be read, and is ready. The log has no error
    but that a busy machine keeps the judge silent for seconds, or while its group forms.
    """
    parts = [fleet.start(process) for process in (PAYLOAD_GATEWAY_PROCESS, WORKER_PROCESS, JUDGE_PROCESS)]
    gateway = ClusterGateway(parts[0])
    wait_until(lambda: roles(gateway) == {"compressed"})
    gateway.ask(traffic(600, harm=True))
    wait_until(lambda: MINORITY in gateway.gateway.router.routes("m").safe)
    order = Order(uuid.uuid4().hex, time.time(), "m", MODEL_SCOPE, "force-safe", "me", "a test")
    with fleet.bus(GATEWAY_PROCESS) as bus:
        bus.publish(topic(CONTROL), encode_order(order), f"m/{MODEL_SCOPE}")
        for name in (SAMPLES, LABELS, PAYLOADS):
            bus.publish(topic(name), b"garbage", "m")
        bus.flush(10.0)
    assert gateway.gateway.router.wait_confirmed(order, 60.0)
    wait_until(lambda: {reason.partition("/")[0].partition(":")[0] for reason in fleet.cluster.dead()} == GARBAGE)
    wait_until(lambda: "breach" in get_page(parts[0].app, "/v1/events").text)
    wait_until(lambda: '"breach"' in get_page(parts[0].app, f"/v1/models/m/verdicts?scope={MINORITY}").text)
    wait_until(lambda: all(get_page(part.app, READY).status_code == 200 for part in parts))
    assert "lacks" not in caplog.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert {record.name for record in errors} <= {event_log.__name__}
    assert {record.fields["kind"] for record in errors} <= SILENT_JUDGE


@pytest.mark.parametrize(("process", "permission"), CASES)
def test_process_without_a_permission_says_which(
    fleet: Fleet, process: str, permission: Permission, messages: Messages
) -> None:
    """One line names the user, the permission, the resource and the command; no line says that Kafka does not answer or
    that a topic does not exist. The metric shows it, and a worker or judge is not ready. A process that needs the
    permission to read says the same where it reads.
    """
    if permission == Permission(TOPIC, topic(SNAPSHOTS), READ):  # an empty topic is not read
        fleet.publish(JUDGE_PROCESS, SNAPSHOTS, f"m{UNREADABLE_MARK}")
    with fleet.without(user_of(process), permission) as line:
        part = fleet.start(process)
        wait_until(lambda: f"permissions: {line}" in messages())
        series = f'tightrope_permission_missing{{resource="{permission.name}"}} 1.0'
        wait_until(lambda: series in get_page(part.app, "/metrics").text)
        if permission.operation != WRITE:
            reader = READERS.get(process, process)
            wait_until(lambda: f"{reader}: {line}" in messages())
        if process not in READERS:
            wait_until(lambda: get_page(part.app, READY).json().get("reason") == line)
            assert get_page(part.app, READY).status_code == 503
        fleet.stop_all()
    assert [text for text in messages() if "does not answer" in text or "no topic" in text] == []


def test_topic_that_a_gateway_may_not_write_stops_no_other_one(fleet: Fleet, messages: Messages) -> None:
    """Its records are lost with the reason and one line, all others arrive in order; its records arrive again when the
    permission is granted.
    """
    lost: list[tuple[str, str]] = []
    dead, events = topic(DEAD), topic(EVENTS)
    with fleet.bus(GATEWAY_PROCESS, lambda name, _, reason: lost.append((name, reason))) as bus:
        with fleet.without(GATEWAY_PROCESS, Permission(TOPIC, dead, WRITE)) as line:
            before = len(fleet.cluster.records(EVENTS))
            for number in range(50):
                bus.publish(dead, b"%d" % number)
                bus.publish(events, b"%d" % number, "m")
            bus.flush(10.0)
        assert messages() == [line]
        assert lost == [(dead, "not_permitted")] * 50
        assert [record.value for record in fleet.cluster.records(EVENTS)[before:]] == [b"%d" % n for n in range(50)]

        def arrives() -> bool:
            bus.publish(dead, b"again")
            bus.flush(10.0)
            return any(record.value == b"again" for record in fleet.cluster.records(DEAD))

        wait_until(arrives)


@pytest.mark.parametrize("operation", [CREATE, DESCRIBE, DESCRIBE_CONFIGS])
def test_topics_names_the_permission(fleet: Fleet, operation: str) -> None:
    """The command fails with the line; a hidden topic does not count as missing, nor an unread setting as different."""
    settings = fleet.settings("topics")
    assert settings.bus is not None
    other = settings.bus.kafka.model_copy(update={"prefix": f"{uuid.uuid4().hex[:8]}-"})
    fresh = settings.model_copy(update={"bus": settings.bus.model_copy(update={"kafka": other})})
    options = kafka_options(fresh)
    fleet.administrator.grant(options, PERMISSIONS["topics"])
    missing = [each for each in PERMISSIONS["topics"] if each.operation == operation]
    fleet.administrator.revoke(options, missing[:1])
    with pytest.raises(NotPermittedError) as caught:
        ensure_topics(fresh, check=False)
    assert str(caught.value) == denial_text(options, missing[:1])


def test_tail_names_the_permission(fleet: Fleet) -> None:
    """The command fails with the line, instead of waiting for records."""
    fleet.publish(GATEWAY_PROCESS, SAMPLES)
    with (
        fleet.without("tail", Permission(TOPIC, topic(SAMPLES), READ)) as line,
        pytest.raises(NotPermittedError) as caught,
    ):
        list(tail(fleet.settings("tail"), SAMPLES, 10, follow=False))
    assert str(caught.value) == line


def test_doctor_works_with_its_own_permissions(fleet: Fleet) -> None:
    """It gets an answer to every question; without one permission, the answer to that question is the line."""
    view = examine(fleet.settings("doctor"))
    assert view.unanswered == {}
    assert {role: bool(missing) for role, missing in (view.lacking or {}).items()} == {
        GATEWAY_PROCESS: True,
        WORKER_PROCESS: True,
        JUDGE_PROCESS: True,
        "doctor": False,
    }
    with fleet.without("doctor", Permission(TOPIC, topic(DEAD), READ)) as line:
        assert examine(fleet.settings("doctor")).unanswered["parked"] == line
    with fleet.without("doctor", Permission(GROUP, WORKERS_GROUP, DESCRIBE)) as line:
        assert examine(fleet.settings("doctor")).unanswered == {"groups": line}
