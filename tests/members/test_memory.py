"""The memory of every member is bounded while another one is away for long, and no request fails."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.members.fleet import Fleet, FleetConfigs, Version, fleet_of
from tests.support.members.member import Member
from tests.support.members.releases import THIS_RELEASE
from tightrope.demo.broker import Broker, why_unavailable

pytestmark = pytest.mark.upgrades

REQUESTS_PER_SECOND = 60.0
"""The load of each model: the buffers below are full in a few seconds."""

FULL_SECONDS = 25.0
"""Time after which every buffer of a member is full."""

MEASURED_SECONDS = 30.0
MAX_GROWTH_BYTES = 24 * 1024 * 1024
"""The most growth after that: the interpreter's own."""

SMALL_BUFFERS = {"buffer_records": 20, "buffer_bytes": 1024 * 1024}


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this file's own."""
    if missing := why_unavailable():
        pytest.skip(missing)
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop(signal.SIGKILL)


def growth(members: list[Member]) -> dict[str, int]:
    """The growth of each member's memory, once every buffer is full."""
    time.sleep(FULL_SECONDS)
    before = [member.resident_bytes for member in members]
    time.sleep(MEASURED_SECONDS)
    return {
        f"{member.command} {member.process.pid}": member.resident_bytes - was
        for member, was in zip(members, before, strict=True)
    }


@pytest.mark.parametrize("part", ["worker", "judge", "broker"])
def test_memory_is_bounded_while_a_member_is_away(mortal: Broker, tmp_path: Path, part: str) -> None:
    """It is suspended; afterwards every row is judged once, or was dropped and counted by its gateway."""
    configs = FleetConfigs(tmp_path, mortal.address, **SMALL_BUFFERS)
    with fleet_of(tmp_path, Version(THIS_RELEASE, configs.write("one")), REQUESTS_PER_SECOND) as fleet:
        suspended = mortal if part == "broker" else getattr(fleet, part)
        others = [member for member in (*fleet.gateways, fleet.worker, fleet.judge) if member is not suspended]
        suspended.signal(signal.SIGSTOP)
        grown = growth(others)
        suspended.signal(signal.SIGCONT)
        assert max(grown.values()) < MAX_GROWTH_BYTES, grown
        fleet.wait_judged()
        fleet.traffic.stop()
        outcome = fleet.balance()
        assert (outcome.failed, outcome.parked, outcome.twice) == (0, 0, 0), outcome
        assert outcome.lost == dropped(fleet), outcome


def dropped(fleet: Fleet) -> int:
    """The samples that the gateways dropped and counted."""
    pages = [gateway.metrics() for gateway in fleet.gateways]
    return int(sum(value for page in pages for name, value in page.items() if "samples_dropped_total" in name))
