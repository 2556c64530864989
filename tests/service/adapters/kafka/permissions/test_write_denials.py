import pytest
from kafka.errors import TopicAuthorizationFailedError

from tightrope.service.adapters.kafka.client import ERROR_LOG_SECONDS
from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import TOPIC, WRITE, Permission, denial_text
from tightrope.service.adapters.kafka.permissions.write_denials import DENIED_SECONDS, NOT_PERMITTED, WriteDenials
from tightrope.service.adapters.ports import NotPermittedError, UndeliveredError

OPTIONS = KafkaOptions(("k:1",), prefix="p-")
LINE = denial_text(OPTIONS, [Permission(TOPIC, "a", WRITE)])


def test_refused_topic_is_held_for_a_while_and_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Other topics are not held; the next attempt comes after `DENIED_SECONDS`."""
    now = [100.0]
    denials = WriteDenials(OPTIONS, lambda: now[0])
    assert not denials.holds("a")
    for _ in range(3):
        assert denials.note("a", TopicAuthorizationFailedError("p-a")) == NOT_PERMITTED
    assert denials.holds("a")
    assert not denials.holds("b")
    while now[0] < 100.0 + ERROR_LOG_SECONDS:
        now[0] += DENIED_SECONDS
        assert not denials.holds("a")
        denials.note("a", TopicAuthorizationFailedError("p-a"))
        assert denials.holds("a")
    assert caplog.messages == [LINE]
    now[0] += DENIED_SECONDS
    denials.note("a", TopicAuthorizationFailedError("p-a"))
    assert caplog.messages == [LINE, LINE]


def test_record_lost_because_of_another_topic_holds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its reason is the client's error."""
    denials = WriteDenials(OPTIONS)
    assert denials.note("b", TopicAuthorizationFailedError("p-a")) == "TopicAuthorizationFailedError"
    assert not denials.holds("b")
    assert caplog.messages == []


def test_error_names_the_permission_where_it_is_the_reason() -> None:
    """Any other reason is a loss that repeating the work may mend."""
    denials = WriteDenials(OPTIONS)
    denials.note("a", TopicAuthorizationFailedError("p-a"))
    refused, lost = denials.error("a", NOT_PERMITTED), denials.error("a", "shutdown")
    assert (type(refused), str(refused)) == (NotPermittedError, LINE)
    assert (type(lost), str(lost)) == (UndeliveredError, "a: a record could not be delivered: shutdown")
