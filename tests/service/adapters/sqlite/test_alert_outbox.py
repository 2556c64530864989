"""Alerts on disk: active ones, ended ones, and what has been sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tightrope.service.adapters.sqlite.alert_outbox import (
    END_SENT,
    NOT_SENT,
    SEND_RETRY_SECONDS,
    START_SENT,
    AlertTable,
    StoredAlert,
)
from tightrope.service.adapters.sqlite.state_file import StoreError


def row(scope: str, since: float = 1.0, **annotations: str) -> StoredAlert:
    """An alert of model m."""
    return StoredAlert({"model": "m", "scope": scope}, annotations, since)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[AlertTable]:
    """An empty table."""
    empty = AlertTable(tmp_path / "alerts.db")
    yield empty
    empty.close()


def ends(table: AlertTable) -> dict[str, tuple[float | None, int]]:
    """End and sent state by scope."""
    return {one.labels["scope"]: (one.ends, one.sent) for one in table.all()}


def test_active_alerts_survive_a_restart(tmp_path: Path) -> None:
    """Labels, annotations, start and sent state are kept."""
    first = AlertTable(tmp_path / "alerts.db")
    assert first.replace("m", [row("a", evidence="much")], 9.0)
    first.close()
    second = AlertTable(tmp_path / "alerts.db")
    assert second.all() == [row("a", evidence="much")]
    second.close()


def test_active_alert_keeps_its_annotations(table: AlertTable) -> None:
    """A restarted judge does not know them any more."""
    table.replace("m", [row("a", 1.0, evidence="much")], 9.0)
    assert not table.replace("m", [row("a", 5.0)], 9.0)
    assert table.all() == [row("a", 1.0, evidence="much")]


def test_active_alert_says_what_labels_show_now(table: AlertTable) -> None:
    """Its text about labels changes, and nothing else; that alone is no reason to send it before its next repeat."""
    table.replace("m", [row("a", 1.0, evidence="much", labels="37 labelled")], 9.0)
    table.mark_sent(table.all(), 2.0)
    assert not table.replace("m", [row("a", 5.0, evidence="more", labels='differs, "not worse"')], 9.0)
    (stored,) = table.all()
    assert (stored.annotations, stored.since) == ({"evidence": "much", "labels": 'differs, "not worse"'}, 1.0)
    assert not table.replace("m", [row("a", 5.0)], 9.0)
    assert table.all()[0].annotations["labels"] == 'differs, "not worse"'


def test_missing_alert_ends(table: AlertTable) -> None:
    """Alerts of other models are untouched."""
    table.replace("m", [row("a"), row("b")], 9.0)
    table.replace("n", [StoredAlert({"model": "n", "scope": "c"}, {}, 1.0)], 9.0)
    assert table.replace("m", [row("b")], 9.0)
    assert ends(table) == {"a": (9.0, NOT_SENT), "b": (None, NOT_SENT), "c": (None, NOT_SENT)}
    assert not table.replace("m", [row("b")], 10.0)
    assert ends(table)["a"] == (9.0, NOT_SENT)


def test_returning_alert_starts_anew(table: AlertTable) -> None:
    """It has new annotations, and is sent again."""
    table.replace("m", [row("a")], 9.0)
    table.mark_sent(table.all(), 2.0)
    table.replace("m", [], 9.0)
    assert table.replace("m", [row("a", 5.0, evidence="more")], 19.0)
    assert table.all() == [row("a", 5.0, evidence="more")]


def test_sent_alert_is_kept_until_its_end(table: AlertTable) -> None:
    """It is deleted afterwards."""
    table.replace("m", [row("a")], 9.0)
    table.mark_sent(table.all(), 2.0)
    assert ends(table) == {"a": (None, START_SENT)}
    table.replace("m", [], 9.0)
    assert ends(table) == {"a": (9.0, START_SENT)}
    table.mark_sent(table.all(), 8.0)
    assert ends(table) == {"a": (9.0, END_SENT)}
    table.mark_sent(table.all(), 9.0)
    assert table.all() == []


def test_alert_changed_during_sending_is_sent_again(table: AlertTable) -> None:
    """The sent alert differs from the stored one."""
    table.replace("m", [row("a"), row("b")], 9.0)
    read = table.all()
    table.replace("m", [row("a")], 9.0)
    table.mark_sent(read, 2.0)
    assert ends(table) == {"a": (None, START_SENT), "b": (9.0, NOT_SENT)}
    over = table.all()
    table.replace("m", [row("a"), row("b", 5.0)], 9.0)
    table.mark_sent(over, 99.0)
    assert ends(table)["b"] == (None, NOT_SENT)


def test_alerts_of_models_of_other_judges_are_deleted(table: AlertTable) -> None:
    """Ended alerts are kept until they are sent."""
    table.replace("m", [row("a"), row("b")], 9.0)
    table.replace("m", [row("b")], 9.0)
    table.replace("n", [StoredAlert({"model": "n", "scope": "c"}, {}, 1.0)], 9.0)
    table.keep_models(["n"])
    assert ends(table) == {"a": (9.0, NOT_SENT), "c": (None, NOT_SENT)}


def test_failed_change_leaves_the_file_usable(table: AlertTable) -> None:
    """It is rolled back, and the next change succeeds."""
    with pytest.raises(AttributeError):
        table.replace("m", [row("a"), None], 9.0)  # type: ignore[list-item]
    assert table.all() == []
    assert table.replace("m", [row("a")], 9.0)
    assert ends(table) == {"a": (None, NOT_SENT)}


def test_retries_slow_down_and_never_stop() -> None:
    """Pauses grow to less than a minute."""
    assert sorted(SEND_RETRY_SECONDS) == list(SEND_RETRY_SECONDS)
    assert SEND_RETRY_SECONDS[-1] < 60


def test_two_processes_cannot_use_one_file(tmp_path: Path, table: AlertTable) -> None:
    """Each would end the alerts of the other: the second gets a one-line error until the first is closed."""
    with pytest.raises(StoreError, match=r"alerts\.db: another Tightrope .* give this one its own folder"):
        AlertTable(tmp_path / "alerts.db")
    table.close()
    AlertTable(tmp_path / "alerts.db").close()
