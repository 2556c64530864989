"""Names of topics are one prefix and one part of the way of the data."""

from service.adapters import topics
from service.adapters.topics import COMPACTED, topic


def test_topics_have_the_prefix() -> None:
    """The usual one, or that of somebody who shares a broker."""
    assert topic("samples") == "tightrope.samples"
    assert topic("samples", "mine") == "mine.samples"


def test_names_are_told_apart() -> None:
    """No two topics, and no two groups, are one."""
    names = [topics.SAMPLES, topics.COMPARISONS, topics.CONTROL, topics.EVENTS, topics.DEAD]
    assert len(set(names)) == len(names)
    assert len({topics.WORKERS, topics.JUDGES}) == 2


def test_control_topic_is_the_compacted_one() -> None:
    """Late gateways learn the present modes from it; samples and events are history."""
    assert {"tightrope.control"} == COMPACTED
