"""Labels of reviewers are on disk until the bus has stored them: none is lost, and a slow broker gets none twice."""

from pathlib import Path

import pytest

from tests.support.judgement.review_rows import review_row
from tightrope.monitors.label_records import Label
from tightrope.monitors.review.opinions import Opinion
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import BusFullError, UndeliveredError
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewTable
from tightrope.service.adapters.wire.record_codec import decode_labels

LABEL = Label("m", "r-1", 0, 0, 7.0, "review:ana", 0.5)


class Broker(MemoryBus):
    """A bus that stores nothing while ``trouble`` is set: then publishing or flushing raises it."""

    def __init__(self) -> None:
        super().__init__()
        self.trouble: Exception | None = None
        self.sent: list[Label] = []

    def publish(self, topic: str, value: bytes, key: str | None = None) -> None:
        """Take the labels."""
        assert (topic, key) == ("tightrope.labels", "m")
        if isinstance(self.trouble, BusFullError):
            raise self.trouble
        self.sent += decode_labels(value)

    def flush(self, timeout: float) -> None:
        """Fail while there is trouble."""
        assert timeout >= 0
        if self.trouble is not None:
            raise self.trouble


class Sending:
    """An outbox with one label, its broker and its file."""

    def __init__(self, folder: Path) -> None:
        self.path, self.broker = folder / "review.db", Broker()
        self.table = ReviewTable(self.path)
        self.outbox = LabelOutbox(self.table, self.broker, patience=1.0)
        given = GivenOpinion("1", "ana", Opinion.A, 0, 2.0, 7.0)
        self.table.add([review_row("1")], 9)
        self.table.store(given)
        self.table.finish(given)


@pytest.fixture
def sending(tmp_path: Path) -> Sending:
    """A label that was not published yet."""
    return Sending(tmp_path)


def test_label_is_published_once(sending: Sending) -> None:
    """The next delivery has nothing."""
    for _ in range(3):
        sending.outbox.deliver()
    assert sending.broker.sent == [LABEL]


def test_broker_that_does_not_answer_gets_a_label_once(sending: Sending, caplog: pytest.LogCaptureFixture) -> None:
    """Its acknowledgement is waited for; the log says so once, and when it goes on."""
    sending.broker.trouble = TimeoutError("1 records are not acknowledged after 1 s")
    for _ in range(3):
        sending.outbox.deliver()
    sending.broker.trouble = None
    sending.outbox.deliver()
    assert sending.broker.sent == [LABEL]
    assert [each.message for each in caplog.records] == [
        "labels of reviewers wait on disk until they can be published: 1 records are not acknowledged after 1 s",
        "the labels of reviewers that waited are published",
    ]


@pytest.mark.parametrize("trouble", [UndeliveredError("lost"), BusFullError("full")])
def test_label_that_was_not_delivered_is_published_again(sending: Sending, trouble: Exception) -> None:
    """It stays on disk until then."""
    sending.broker.trouble = trouble
    sending.outbox.deliver()
    sending.broker.sent.clear()
    sending.broker.trouble = None
    sending.outbox.deliver()
    assert sending.broker.sent == [LABEL]


def test_label_outlives_the_process(sending: Sending) -> None:
    """The next one publishes it from the file."""
    sending.broker.trouble = TimeoutError("no answer")
    sending.outbox.deliver()
    sending.table.close()
    again = Broker()
    LabelOutbox(ReviewTable(sending.path), again).deliver()
    assert again.sent == [LABEL]


def test_erased_request_leaves_no_label(sending: Sending) -> None:
    """Its id would be on the topic for its retention."""
    sending.table.erase("r-1")
    sending.outbox.deliver()
    assert sending.broker.sent == []
