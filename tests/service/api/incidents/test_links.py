from urllib.parse import parse_qs, urlsplit

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.api.incidents.links import incident_links, incident_path


def test_span_of_the_events_holds_both_ends() -> None:
    """A query is read in microseconds, so the span is a little wider than the incident."""
    links = incident_links(Incident("m-1", "m", 1796029866.7845006, 1, closed=1796029900.1000004))
    query = parse_qs(urlsplit(links["events"]).query)
    assert query == {"model": ["m"], "since": ["1796029866.784"], "until": ["1796029900.101"], "order": ["asc"]}


def test_an_open_incident_has_events_until_now() -> None:
    """Its span has no end."""
    assert "until" not in incident_links(Incident("m-1", "m", 1.0, 1))["events"]


def test_path_is_quoted() -> None:
    """A name stays one part of the path, also one with signs of its own."""
    assert incident_path("a/b?", ".zip") == "/v1/incidents/a%2Fb%3F.zip"


def test_card_is_that_of_the_artefact_of_the_time() -> None:
    """An incident that an earlier version recorded names no artefact, so it has no link."""
    links = incident_links(Incident("m-1", "m n", 1.0, 1, artefact="ab12"))
    assert links["card"] == "/v1/models/m%20n/card?artefact=ab12"
    assert links["statement"] == "/v1/models/m%20n/qualification?artefact=ab12"
    assert [incident_links(Incident("m-1", "m", 1.0, 1))[name] for name in ("card", "statement")] == [None, None]  # type: ignore[literal-required]
