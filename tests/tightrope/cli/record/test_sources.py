from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.cli.record.sources import GatewaySource, StateSource
from tightrope.offline.incidents.record_files import all_incidents
from tightrope.service.adapters.journal.incident import IncidentError
from tightrope.service.config.loader import ConfigError
from tightrope.service.errors import UnavailableError


@pytest.fixture
def source(tmp_path: Path) -> StateSource:
    """A state folder with one incident."""
    judged = RecordedJudge(tmp_path)
    judged.judge_harm()
    judged.stop()
    return StateSource(judged.settings())


def test_incidents_of_a_state_folder_are_chosen(source: StateSource) -> None:
    """By model, and by the time at which they were still open."""
    (incident,) = all_incidents(source.settings)
    closed = incident.closed or 0.0
    assert [each["id"] for each in source.incidents(closed, "m")] == [incident.id]
    assert list(source.incidents(closed + 1, None)) == []
    with pytest.raises(ConfigError, match="--model: 'nope' is none of m"):
        source.incidents(0.0, "nope")


def test_report_is_written_to_a_file(source: StateSource) -> None:
    """Its address opens in a browser without any server; an unknown incident has none."""
    (incident,) = all_incidents(source.settings)
    path = Path(url2pathname(urlsplit(source.report(incident.id)).path))
    assert path.read_text().startswith("<!doctype html>")
    with pytest.raises(IncidentError, match="there is no such incident"):
        source.report("nope")


class Gateway:
    """A gateway without incidents, which knows of the cluster's or not; an older one does not say."""

    url = "http://gateway"

    def __init__(self, **known: bool) -> None:
        self._known = known

    def get(self, path: str, **_: object) -> dict[str, object]:
        """Its list."""
        assert path == "/v1/incidents"
        return {"recorded": True, "incidents": [], **self._known}


def test_gateway_that_does_not_know_is_not_taken_for_one_without_incidents() -> None:
    """The command ends with one line."""
    unknown: Any = Gateway(known=False)
    with pytest.raises(UnavailableError, match="http://gateway: whether there are incidents is unknown"):
        GatewaySource(unknown).incidents(float("-inf"), None)
    for known in (Gateway(known=True), Gateway()):
        one: Any = known
        assert list(GatewaySource(one).incidents(float("-inf"), None)) == []
