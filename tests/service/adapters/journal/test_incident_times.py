import pytest

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.adapters.journal.incident_times import incident_at

INCIDENTS = [Incident("m-1", "m", 1.0, 1, closed=2.0), Incident("n-1", "n", 1.0, 1), Incident("m-2", "m", 5.0, 1)]


@pytest.mark.parametrize(
    ("model", "time", "name"),
    [("m", 0.9, None), ("m", 1.0, "m-1"), ("m", 2.0, "m-1"), ("m", 3.0, None), ("m", 9.0, "m-2"), ("n", 9.0, "n-1")],
)
def test_a_time_belongs_to_the_incident_of_its_model(model: str, time: float, name: str | None) -> None:
    """Both ends belong to it; one that is open has no end."""
    assert incident_at(INCIDENTS, model, time) == name
