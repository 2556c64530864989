"""A stepper whose topic was made anew begins again."""

import pytest

from tests.shadow.test_loop import SOON, Work, until
from tightrope.service.adapters.ports import MadeAnewError
from tightrope.shadow import loop as module
from tightrope.shadow.loop import MAX_REBIRTHS, Loop


def test_topic_made_anew_is_no_failure(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stepper is made again, with one line in the log, and the loop is not failing, however often that happens."""
    monkeypatch.setattr(module, "LOOP_RETRY_SECONDS", (0.01,))
    work = Work(*(MadeAnewError(f"topic {number} was made anew") for number in range(MAX_REBIRTHS + 2)), 7)
    loop = Loop("work", work.make)
    loop.start()
    until(lambda: work.done == [7])
    assert (work.made, loop.failures, loop.working) == (MAX_REBIRTHS + 3, 0, True)
    assert loop.stop(SOON)
    told = [record for record in caplog.records if "made anew" in record.getMessage()]
    assert [record.exc_info for record in told] == [None] * (MAX_REBIRTHS + 2)
