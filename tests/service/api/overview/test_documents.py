"""The shape of the overview is a contract: fields are added, never renamed."""

from tightrope.service.api.overview.documents import ModelEntry, Overview, ScopeEntry, SightEntry

SCOPE_FIELDS = (
    "scope title name attribute state held own below answers since by why compared share monitor label rate limit "
    "range says evidence way_back flaps unseen case checks returns_below stuck worst requests_per_second"
)
MODEL_FIELDS = "name armed state blind full small traffic sight everyone groups unseen history moves"


def test_fields_that_pages_read_stay() -> None:
    """Those of the first release, at least."""
    assert {"at", "level", "headline", "sentence", "models"} <= Overview.__annotations__.keys()
    assert {*MODEL_FIELDS.split()} <= ModelEntry.__annotations__.keys()
    assert {*SCOPE_FIELDS.split()} <= ScopeEntry.__annotations__.keys()
    assert {"worker", "judge", "blind_after_seconds", "sampled_share", "dropped"} <= SightEntry.__annotations__.keys()
