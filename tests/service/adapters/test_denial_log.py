import pytest

from tests.support.serving.fake_clock import SetClock
from tightrope.service.adapters.denial_log import DENIAL_LOG_SECONDS, DenialLog
from tightrope.service.adapters.ports import NotPermittedError


def test_each_permission_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Another one is told at once."""
    clock = SetClock()
    denials = DenialLog("judge", clock)
    for text in ("grant it", "grant it", "and this", "and this"):
        denials.write(NotPermittedError(text))
        clock.now += DENIAL_LOG_SECONDS / 4
    clock.now += DENIAL_LOG_SECONDS
    denials.write(NotPermittedError("and this"))
    assert caplog.messages == ["judge: grant it", "judge: and this", "judge: and this"]
    assert not any(record.exc_info for record in caplog.records)
