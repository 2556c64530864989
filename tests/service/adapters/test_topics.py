"""Names of topics are one prefix and one part of the way of the data."""

from tightrope.service.adapters import topics
from tightrope.service.adapters.topics import COMPACTED, topic


def test_topics_have_the_prefix() -> None:
    """The usual one, or that of somebody who shares a broker."""
    assert topic("samples") == "tightrope.samples"
    assert topic("samples", "mine") == "mine.samples"


def test_names_are_told_apart() -> None:
    """No two topics, and no two groups, are one."""
    assert len(set(topics.EVERY)) == len(topics.EVERY)
    assert len({topics.WORKERS, topics.JUDGES, topics.INTAKE}) == 3


def test_what_tells_the_present_is_compacted() -> None:
    """Late gateways learn the modes from it, and judges how far it has come; samples and events are history."""
    assert {"tightrope.control", "tightrope.snapshots"} == COMPACTED
