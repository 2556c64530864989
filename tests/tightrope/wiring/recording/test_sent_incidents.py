import json
from pathlib import Path

import pytest

from tightrope.wiring.recording.sent_incidents import SentIncident, SentIncidents

KEY = ("a/b", "a/b-1")


def test_the_list_is_kept_over_restarts(tmp_path: Path) -> None:
    """With the versions of each file, and the topic."""
    first = SentIncidents(tmp_path / "new" / "sent.json")
    first.begin("topic")
    first.of(KEY).copies["digest"] = 3
    first.of(KEY).files = "files"
    first.save()
    second = SentIncidents(tmp_path / "new" / "sent.json")
    assert (second.log, second.known) == ("topic", {KEY: SentIncident({"digest": 3}, "files")})
    assert (second.files(KEY), second.files(("a", "x"))) == ("files", "")
    assert set(second.known) == {KEY}


def test_on_another_topic_all_is_to_be_sent(tmp_path: Path) -> None:
    """The versions stay known, so that they can be deleted."""
    sent = SentIncidents(tmp_path / "sent.json")
    sent.known = {KEY: SentIncident({"digest": 3}, "files")}
    sent.begin("other")
    assert (sent.log, sent.known) == ("other", {KEY: SentIncident({"digest": 3}, "")})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", json.dumps({"format": "x"}), '{"format": "tightrope.sent-incidents/1", "incidents": {"m": 1}}'],
)
def test_a_list_that_cannot_be_read_is_told(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """All is sent again."""
    (tmp_path / "sent.json").write_text(text)
    sent = SentIncidents(tmp_path / "sent.json")
    assert (sent.log, sent.known) == ("", {})
    assert "sent.json cannot be read, so all incidents are published again" in caplog.text
