"""The client against a fake Grafana: repeats are harmless, and each failure is one line."""

from collections.abc import Iterator

import pytest

from tests.support.observability.fake_grafana import TOKEN, Answer, grafana
from tests.support.observability.fake_grafana import Grafana as FakeGrafana
from tightrope.dashboards.grafana import Grafana, GrafanaError, Target

TARGET = Target()
BOARDS = {uid: {"uid": uid, "title": uid, "tags": ["tightrope"]} for uid in ("tightrope-a", "tightrope-b")}
PROMETHEUS = "http://prometheus:9090"


@pytest.fixture
def server() -> Iterator[FakeGrafana]:
    """Provide an empty Grafana."""
    with grafana() as made:
        yield made


def applied(server: FakeGrafana, *uids: str, prometheus: str | None = PROMETHEUS) -> list[str]:
    """Apply these dashboards, and list the reported steps."""
    boards = {uid: BOARDS[uid] for uid in uids or BOARDS}
    return list(Grafana(server.address, TOKEN).apply(boards, "tightrope", prometheus, TARGET))


def test_apply_creates_everything(server: FakeGrafana) -> None:
    """Folder, data source by uid, and dashboards in the folder."""
    assert applied(server)[:2] == ["folder tightrope: created", "data source tightrope-prometheus: created"]
    assert server.folders["tightrope"]["title"] == "Tightrope"
    source = server.sources["tightrope-prometheus"]
    assert (source["type"], source["url"], source["jsonData"]["httpMethod"]) == ("prometheus", PROMETHEUS, "POST")
    assert set(server.boards) == set(BOARDS)
    board = server.boards["tightrope-a"]
    assert (board["folderUid"], board["dashboard"]["id"]) == ("tightrope", None)


def test_second_apply_changes_nothing(server: FakeGrafana) -> None:
    """It raises no error."""
    applied(server)
    before = (dict(server.folders), dict(server.sources), dict(server.boards))
    assert applied(server)[0] == "folder tightrope: up to date"
    assert (server.folders, server.sources, server.boards) == before


def test_dashboard_that_is_no_longer_built_is_deleted(server: FakeGrafana) -> None:
    """A foreign dashboard with the same tag stays."""
    applied(server)
    server.boards["mine"] = {"dashboard": {"uid": "mine", "tags": ["tightrope"]}}
    assert applied(server, "tightrope-a")[-1] == "dashboard tightrope-b: deleted"
    assert set(server.boards) == {"tightrope-a", "mine"}


def test_apply_without_prometheus_leaves_data_sources_alone(server: FakeGrafana) -> None:
    """The data source is then chosen on the dashboard."""
    applied(server, prometheus=None)
    assert server.sources == {}
    assert not any("datasources" in path for _, path in server.calls)


def test_concurrent_creation_is_no_error(server: FakeGrafana) -> None:
    """Folder and data source appear between the query and the creation."""
    server.rival = True
    assert applied(server)[:2] == ["folder tightrope: up to date", "data source tightrope-prometheus: up to date"]


def test_annotation_becomes_a_span(server: FakeGrafana) -> None:
    """Times are in milliseconds; ending a deleted annotation returns False."""
    client = Grafana(server.address, TOKEN)
    number = client.annotate(17.5, "a=b entered", ["safe-mode", "model:m"])
    assert server.marks[number] == {"time": 17500, "text": "a=b entered", "tags": ["safe-mode", "model:m"]}
    assert client.end_annotation(number, 20.0)
    assert server.marks[number]["timeEnd"] == 20000
    assert not client.end_annotation(99, 20.0)


def test_annotation_is_found_by_its_start_and_tags(server: FakeGrafana) -> None:
    """Its id need not be stored."""
    client = Grafana(server.address, TOKEN)
    number = client.annotate(17.5, "t", ["safe-mode", "model:m", "scope:a=b & c"])
    client.annotate(17.501, "another", ["safe-mode", "model:m", "scope:a=b & c"])
    assert client.find_annotation(17.5, ["model:m", "scope:a=b & c"]) == number
    assert client.find_annotation(17.5, ["model:n"]) is None
    assert client.find_annotation(18.5, ["model:m"]) is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ((403, {"message": "no permission"}), r"answered 403: .*no permission"),
        ((500, b"oops"), "answered 500: .*oops"),
        ((400, {"message": "bad folder"}), "answered 400: .*bad folder"),
        ((404, None), "404"),
        ((502, b"null"), "sent an answer that is not Grafana.s"),
        ((200, b"<html>"), "sent an answer that is not Grafana.s"),
    ],
)
def test_refusal_is_reported_with_the_address(server: FakeGrafana, broken: Answer, message: str) -> None:
    """The answer may be JSON, text, null or empty."""
    server.broken = broken
    with pytest.raises(GrafanaError, match=message) as caught:
        applied(server)
    assert str(caught.value).startswith(server.address)


def test_wrong_token_is_reported(server: FakeGrafana) -> None:
    """The message does not contain the token."""
    with pytest.raises(GrafanaError, match="401") as caught:
        list(Grafana(server.address, "wr0ng").apply({}, "tightrope", None, TARGET))
    assert "wr0ng" not in str(caught.value)


def test_refused_annotation_is_reported(server: FakeGrafana) -> None:
    """The caller decides about a retry."""
    server.broken = (500, {"message": "database is locked"})
    client = Grafana(server.address, TOKEN)
    with pytest.raises(GrafanaError, match="locked"):
        client.annotate(1.0, "t", [])
    with pytest.raises(GrafanaError, match="locked"):
        client.end_annotation(1, 1.0)
    server.broken = (403, {"message": "no permission"})
    with pytest.raises(GrafanaError, match="permission"):
        client.end_annotation(1, 1.0)


def test_unreachable_grafana_is_reported() -> None:
    """The message is one line with the address and the error."""
    with pytest.raises(GrafanaError, match=r"http://127.0.0.1:9 cannot be reached: ConnectionError"):
        list(Grafana("http://127.0.0.1:9", TOKEN).apply({}, "t", None, TARGET))
