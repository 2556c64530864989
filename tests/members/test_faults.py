"""Each member of a cluster fails under load, on a real broker, while a model becomes harmful: the baseline answers in
time, and every request and row is accounted for by its id.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.support.cluster.cluster import Cluster
from tests.support.members.fleet import BLIND_SECONDS, LIMIT_SECONDS, MODELS, Fleet, FleetConfigs, Version, fleet_of
from tests.support.members.ledger import Balance, harmful_answers
from tests.support.members.member import Member
from tests.support.members.releases import THIS_RELEASE
from tightrope.demo.broker import Broker, why_unavailable
from tightrope.service.adapters.topics import SNAPSHOTS, topic

pytestmark = pytest.mark.upgrades

MODEL, LATER = MODELS[:2]
AWAY_SECONDS = 2 * BLIND_SECONDS + 2.0
"""Time for which a member is away: longer than any limit."""

WAKE_SECONDS = 2.0
"""The most time for which a gateway that was suspended may answer by the modes that it knew."""

UNDELIVERED_SECONDS = 1.0
"""Samples of this time before a gateway is killed may not have been delivered."""


@contextmanager
def serving(folder: Path, broker: Broker) -> Iterator[Fleet]:
    """A fleet of this release under load."""
    with fleet_of(folder, Version(THIS_RELEASE, FleetConfigs(folder, broker.address).write("one"))) as fleet:
        yield fleet


def settled(fleet: Fleet) -> Balance:
    """The balance once the load has ended. Before that the cluster must judge again, and find the harm of one more
    model.
    """
    fleet.wait_judged()
    fleet.traffic.begin_harm(LATER)
    fleet.wait_guarded(LATER)
    fleet.traffic.stop()
    return fleet.balance()


def assert_holds(outcome: Balance) -> None:
    """Check that no request failed, every row counted once, and no harmful model answered for too long."""
    assert outcome.sound, outcome
    assert outcome.longest <= LIMIT_SECONDS, outcome


@contextmanager
def suspended(member: Member) -> Iterator[None]:
    """Suspend a member for the block."""
    member.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        member.signal(signal.SIGCONT)


@pytest.mark.parametrize("part", ["worker", "judge"])
def test_killed_member_is_replaced(kafka: Broker, tmp_path: Path, part: str) -> None:
    """While it is away the baseline answers; its successor judges what waited, each row once."""
    with serving(tmp_path, kafka) as fleet:
        fleet.traffic.begin_harm(MODEL)
        getattr(fleet, part).kill()
        fleet.wait_guarded(MODEL)
        successor = fleet.launch(part, fleet.version)
        successor.wait_ready()
        setattr(fleet, part, successor)
        assert_holds(settled(fleet))


@pytest.mark.parametrize("part", ["worker", "judge"])
def test_suspended_member_goes_on(kafka: Broker, tmp_path: Path, part: str) -> None:
    """While it is suspended the baseline answers; when it wakes up it judges what waited, each row once."""
    with serving(tmp_path, kafka) as fleet:
        fleet.traffic.begin_harm(MODEL)
        with suspended(getattr(fleet, part)):
            fleet.wait_guarded(MODEL)
            time.sleep(AWAY_SECONDS)
        assert_holds(settled(fleet))


def test_killed_gateway_loses_what_it_had_not_delivered(kafka: Broker, tmp_path: Path) -> None:
    """At most the requests in flight fail, one a caller, and the samples of its last second are lost; its successor is
    guarded from the start.
    """
    with serving(tmp_path, kafka) as fleet:
        fleet.traffic.begin_harm(MODEL)
        killed, fleet.gateways[0] = fleet.gateways[0], fleet.launch("serve", fleet.version)
        killed.kill()
        end = time.monotonic()
        fleet.gateways[0].wait_ready()
        fleet.configs[fleet.gateways[0].address] = fleet.version.config
        fleet.set_rotation()
        fleet.wait_guarded(MODEL)
        outcome = settled(fleet)
        last = [
            r for r in fleet.traffic.requests if r.gateway == killed.address and r.answered > end - UNDELIVERED_SECONDS
        ]
        assert outcome.failed <= len(MODELS), outcome
        assert outcome.lost <= len(last), outcome
        assert (outcome.twice, outcome.parked) == (0, 0), outcome
        assert outcome.longest <= LIMIT_SECONDS, outcome


def test_suspended_gateway_wakes_up_guarded(kafka: Broker, tmp_path: Path) -> None:
    """It knows modes of long ago: it falls back at once, although the judge has decided while it was suspended."""
    with serving(tmp_path, kafka) as fleet:
        with suspended(fleet.gateways[0]):
            fleet.set_rotation(fleet.gateways[0])
            fleet.traffic.begin_harm(MODEL)
            fleet.wait_guarded(MODEL)
            time.sleep(AWAY_SECONDS)
            fleet.set_rotation()
            time.sleep(1.0)
        woke = time.monotonic()
        outcome = settled(fleet)
        after = [answer - woke for answer in harmful_answers(fleet.traffic, MODEL) if answer > woke]
        assert max(after, default=0.0) <= WAKE_SECONDS, after
        assert outcome.sound, outcome


@pytest.mark.parametrize("part", ["gateways", "worker", "judge"])
def test_drained_member_loses_nothing(kafka: Broker, tmp_path: Path, part: str) -> None:
    """``SIGTERM`` under load, twice: every row that was answered is compared and judged once."""
    with serving(tmp_path, kafka) as fleet:
        fleet.traffic.begin_harm(MODEL)
        for _ in range(2):
            fleet.replace(part, fleet.version)
        fleet.wait_guarded(MODEL)
        assert_holds(settled(fleet))


def test_gateway_answers_what_was_sent_before_it_ends(kafka: Broker, tmp_path: Path) -> None:
    """``SIGTERM`` while callers go on sending: no request that was sent ends without an answer."""
    with serving(tmp_path, kafka) as fleet:
        fleet.traffic.begin_harm(MODEL)
        fleet.wait_guarded(MODEL)
        assert fleet.gateways.pop(0).stop() == 0
        assert_holds(settled(fleet))


def test_state_that_cannot_be_saved_is_no_judgement(kafka: Broker, tmp_path: Path) -> None:
    """As with a full disk: the brokers refuse snapshots. Rows that are not saved count as not judged, so the baseline
    answers; afterwards every row is judged once.
    """
    with serving(tmp_path, kafka) as fleet:
        name = Cluster(fleet.version.config).prefix + topic(SNAPSHOTS)
        fleet.traffic.begin_harm(MODEL)
        _require_copies(kafka.address, name, 2)
        fleet.wait_guarded(MODEL)
        time.sleep(AWAY_SECONDS)
        _require_copies(kafka.address, name, 1)
        assert_holds(settled(fleet))


def _require_copies(address: str, name: str, copies: int) -> None:
    """Let the one broker refuse or accept records of a topic."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"min.insync.replicas": copies})])


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own."""
    if missing := why_unavailable():
        pytest.skip(missing)
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_broker_goes_and_returns(mortal: Broker, tmp_path: Path, number: int) -> None:
    """Killed, ended or suspended for long: no request fails, the baseline answers, and every row counts once."""
    with serving(tmp_path, mortal) as fleet:
        fleet.traffic.begin_harm(MODEL)
        if number == signal.SIGSTOP:
            mortal.signal(number)
        else:
            mortal.stop(number)
        fleet.wait_guarded(MODEL)
        time.sleep(AWAY_SECONDS)
        if number == signal.SIGSTOP:
            mortal.signal(signal.SIGCONT)
        else:
            mortal.start()
        assert_holds(settled(fleet))
