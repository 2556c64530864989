"""The latest states are remembered with the role that wrote them."""

from tightrope.monitors.records import Role
from tightrope.service.inference.states.state_owners import MOST_STATES, StateOwners


def test_oldest_states_are_forgotten() -> None:
    """Those that were written again are not the oldest."""
    owners = StateOwners(most=2)
    owners.remember([b"a", b"b"], Role.BASELINE)
    owners.remember([b"a"], Role.COMPRESSED)
    owners.remember([b"c"], Role.BASELINE)
    assert [owners.owner(digest) for digest in (b"a", b"b", b"c")] == [Role.COMPRESSED, None, Role.BASELINE]


def test_ten_thousand_are_remembered() -> None:
    """As many sequences at a time keep their owner."""
    owners = StateOwners()
    owners.remember((str(n).encode() for n in range(MOST_STATES + 1)), Role.BASELINE)
    assert (owners.owner(b"0"), owners.owner(b"1")) == (None, Role.BASELINE)
