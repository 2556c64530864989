"""A topic's name is a prefix and the kind of its records."""

from tightrope.service.adapters import topics
from tightrope.service.adapters.topics import COMPACTED, DELETABLE, topic


def test_topics_have_the_prefix() -> None:
    """The default prefix, or another on a shared broker."""
    assert topic("samples") == "tightrope.samples"
    assert topic("samples", "mine") == "mine.samples"


def test_names_are_unique() -> None:
    """All topics and all groups differ."""
    assert len(set(topics.ALL_TOPICS)) == len(topics.ALL_TOPICS)
    assert len({topics.WORKERS_GROUP, topics.JUDGES_GROUP, topics.INTAKE_GROUP}) == 3


def test_state_topics_are_compacted() -> None:
    """Late gateways read the modes and the incidents, and judges their snapshots; samples and events are history. Only
    incidents can be deleted.
    """
    assert {"tightrope.control", "tightrope.snapshots", "tightrope.incidents"} == COMPACTED
    assert {"tightrope.incidents"} == DELETABLE
