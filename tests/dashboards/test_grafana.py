"""The facade against a stand-in for Grafana: idempotent, and every failure in one line."""

from collections.abc import Iterator

import pytest

from tests.support.observability.fake_grafana import TOKEN, Answer, grafana
from tests.support.observability.fake_grafana import Grafana as StandIn
from tightrope.dashboards.grafana import Grafana, GrafanaError, Target

TARGET = Target()
BOARDS = {uid: {"uid": uid, "title": uid, "tags": ["tightrope"]} for uid in ("tightrope-a", "tightrope-b")}
PROMETHEUS = "http://prometheus:9090"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A Grafana that holds nothing yet."""
    with grafana() as made:
        yield made


def applied(server: StandIn, *uids: str, prometheus: str | None = PROMETHEUS) -> list[str]:
    """What is told of bringing these dashboards there."""
    boards = {uid: BOARDS[uid] for uid in uids or BOARDS}
    return list(Grafana(server.address, TOKEN).apply(boards, "tightrope", prometheus, TARGET))


def test_everything_is_there_after_the_first_time(server: StandIn) -> None:
    """Folder, data source by its uid, dashboards in the folder."""
    assert applied(server)[:2] == ["folder tightrope: made", "data source tightrope-prometheus: made"]
    assert server.folders["tightrope"]["title"] == "Tightrope"
    source = server.sources["tightrope-prometheus"]
    assert (source["type"], source["url"], source["jsonData"]["httpMethod"]) == ("prometheus", PROMETHEUS, "POST")
    assert set(server.boards) == set(BOARDS)
    board = server.boards["tightrope-a"]
    assert (board["folderUid"], board["dashboard"]["id"]) == ("tightrope", None)


def test_doing_it_again_changes_nothing(server: StandIn) -> None:
    """And is no error."""
    applied(server)
    before = (dict(server.folders), dict(server.sources), dict(server.boards))
    assert applied(server)[0] == "folder tightrope: up to date"
    assert (server.folders, server.sources, server.boards) == before


def test_dashboard_that_is_no_longer_built_is_taken_away(server: StandIn) -> None:
    """Of ours only: another one that bears the tag is somebody's own."""
    applied(server)
    server.boards["mine"] = {"dashboard": {"uid": "mine", "tags": ["tightrope"]}}
    assert applied(server, "tightrope-a")[-1] == "dashboard tightrope-b: taken away"
    assert set(server.boards) == {"tightrope-a", "mine"}


def test_without_prometheus_no_data_source_is_touched(server: StandIn) -> None:
    """Whoever has one chooses it on the dashboard."""
    applied(server, prometheus=None)
    assert server.sources == {}
    assert not any("datasources" in path for _, path in server.calls)


def test_somebody_who_makes_it_at_the_same_time_is_no_error(server: StandIn) -> None:
    """The folder and the data source were not there when asked, and are when made."""
    server.rival = True
    assert applied(server)[:2] == ["folder tightrope: up to date", "data source tightrope-prometheus: up to date"]


def test_mark_becomes_a_span(server: StandIn) -> None:
    """In milliseconds; one that was deleted meanwhile is told."""
    asked = Grafana(server.address, TOKEN)
    number = asked.mark(17.5, "a=b entered", ["safe-mode", "model:m"])
    assert server.marks[number] == {"time": 17500, "text": "a=b entered", "tags": ["safe-mode", "model:m"]}
    assert asked.end(number, 20.0)
    assert server.marks[number]["timeEnd"] == 20000
    assert not asked.end(99, 20.0)


def test_mark_is_found_by_its_beginning_and_its_tags(server: StandIn) -> None:
    """So that it need not be remembered."""
    asked = Grafana(server.address, TOKEN)
    number = asked.mark(17.5, "t", ["safe-mode", "model:m", "scope:a=b & c"])
    asked.mark(17.501, "another", ["safe-mode", "model:m", "scope:a=b & c"])
    assert asked.find(17.5, ["model:m", "scope:a=b & c"]) == number
    assert asked.find(17.5, ["model:n"]) is None
    assert asked.find(18.5, ["model:m"]) is None


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ((403, {"message": "no permission"}), r"answered 403: .*no permission"),
        ((500, b"oops"), "answered 500: .*oops"),
        ((400, {"message": "bad folder"}), "answered 400: .*bad folder"),
        ((404, None), "404"),
        ((502, b"null"), "answered with what Grafana does not"),
        ((200, b"<html>"), "answered with what Grafana does not"),
    ],
)
def test_refusal_is_told_with_the_address(server: StandIn, broken: Answer, told: str) -> None:
    """Whatever form it has."""
    server.broken = broken
    with pytest.raises(GrafanaError, match=told) as caught:
        applied(server)
    assert str(caught.value).startswith(server.address)


def test_wrong_token_is_told(server: StandIn) -> None:
    """Without the token."""
    with pytest.raises(GrafanaError, match="401") as caught:
        list(Grafana(server.address, "wr0ng").apply({}, "tightrope", None, TARGET))
    assert "wr0ng" not in str(caught.value)


def test_mark_that_is_refused_is_told(server: StandIn) -> None:
    """Whoever posts it decides whether to try again."""
    server.broken = (500, {"message": "database is locked"})
    asked = Grafana(server.address, TOKEN)
    with pytest.raises(GrafanaError, match="locked"):
        asked.mark(1.0, "t", [])
    with pytest.raises(GrafanaError, match="locked"):
        asked.end(1, 1.0)
    server.broken = (403, {"message": "no permission"})
    with pytest.raises(GrafanaError, match="permission"):
        asked.end(1, 1.0)


def test_grafana_that_is_not_there_is_told() -> None:
    """By what happened, on one line."""
    with pytest.raises(GrafanaError, match=r"http://127.0.0.1:9 is not to be had: ConnectionError"):
        list(Grafana("http://127.0.0.1:9", TOKEN).apply({}, "t", None, TARGET))
