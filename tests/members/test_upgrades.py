"""Rolling upgrades under load, in every order of gateways, worker and judge, with a ledger of every request by its id.

`make test-upgrades` runs them: from the first release to this one, and with another compressed file.
"""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import pytest

from tests.support.members.fleet import LIMIT_SECONDS, FleetConfigs, Version, upgraded
from tests.support.members.ledger import Balance
from tests.support.members.releases import THIS_RELEASE, first_release
from tightrope.demo.broker import Broker

pytestmark = pytest.mark.upgrades

ORDERS = list(permutations(("gateways", "worker", "judge")))
EACH_ORDER = pytest.mark.parametrize("order", ORDERS, ids=["-".join(order) for order in ORDERS])


def assert_holds(outcome: Balance) -> None:
    """Check that no request failed, every row counted once, and no harmful model answered for too long."""
    assert outcome.sound, outcome
    assert outcome.longest <= LIMIT_SECONDS, outcome


@EACH_ORDER
def test_upgrade_from_the_first_release(
    kafka: Broker, tmp_path: Path, order: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    """Members of both releases are on the topics at the same time: each model that becomes harmful goes to the
    baseline, in every mixture of members that answer, compare and judge it.
    """
    path = FleetConfigs(tmp_path, kafka.address).write("both", for_first_release=True)
    outcome = upgraded(tmp_path, order, Version(first_release(), path), Version(THIS_RELEASE, path))
    record_property("balance", str(outcome))
    assert_holds(outcome)
    assert outcome.stale == 0


def test_back_to_the_first_release(
    kafka: Broker, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """The judge first and the gateways last, which know when they are blind. The judge cannot read the state, so its
    counts begin anew; no request fails, no row is parked, and no harmful model answers for too long.
    """
    path = FleetConfigs(tmp_path, kafka.address).write("both", for_first_release=True)
    order = ("judge", "worker", "gateways")
    outcome = upgraded(tmp_path, order, Version(THIS_RELEASE, path), Version(first_release(), path))
    record_property("balance", str(outcome))
    assert (outcome.failed, outcome.parked, outcome.twice) == (0, 0, 0)
    assert outcome.longest <= LIMIT_SECONDS, outcome


@EACH_ORDER
def test_other_artefact(
    kafka: Broker, tmp_path: Path, order: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    """Rows of an artefact that the worker or the judge does not have are counted as such, and the baseline answers."""
    configs = FleetConfigs(tmp_path, kafka.address)
    old, new = (Version(THIS_RELEASE, configs.write(name, scale)) for name, scale in (("old", 1.0), ("new", 1.25)))
    outcome = upgraded(tmp_path, order, old, new)
    record_property("balance", str(outcome))
    assert_holds(outcome)
