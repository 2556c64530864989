from tightrope.service.adapters.journal.incident import Incident, Move
from tightrope.service.api.incidents.documents import incident_document, incident_entry
from tightrope.service.api.incidents.links import incident_links

INCIDENT = Incident(
    "m-1", "m", 1.0, 1, moves=(Move(1.0, "sex=f", "breach", "safe", "judge", "why"),), missing=("the disk",)
)


def test_entry_says_what_is_recorded() -> None:
    """With its links, and whether the record is whole."""
    entry = incident_entry(INCIDENT)
    assert (entry["scopes"], entry["complete"], entry["closed"]) == (["sex=f"], False, None)
    assert entry["links"] == incident_links(INCIDENT)


def test_document_has_the_moves_in_words() -> None:
    """Each with its fields and a sentence."""
    document = incident_document(INCIDENT)
    assert document["missing"] == ["the disk"]
    assert document["moves"][0]["text"] == "The full model took over for f (sex): why."
    assert document["moves"][0]["reason"] == "why"
