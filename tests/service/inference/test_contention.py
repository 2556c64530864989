"""Contention counts for some time after it was observed."""

from tightrope.service.inference.contention import CONTENTION_SECONDS, Contention


def test_first_request_has_no_contention() -> None:
    """At any time of the clock."""
    contention = Contention()
    assert not contention.is_recent(0.0)
    assert not contention.is_across_models(0.0)


def test_contention_ends_after_its_seconds() -> None:
    """The next request then has none."""
    contention = Contention()
    contention.note_overlap(10.0, other_model=False)
    assert [
        contention.is_recent(10.0 + past) for past in (0.0, 0.9 * CONTENTION_SECONDS, 1.1 * CONTENTION_SECONDS)
    ] == [
        True,
        True,
        False,
    ]


def test_only_requests_of_another_model_are_contention_across_models() -> None:
    """Several requests of one model are not."""
    contention = Contention()
    contention.note_overlap(10.0, other_model=False)
    assert not contention.is_across_models(10.0)
    contention.note_overlap(11.0, other_model=True)
    assert [
        contention.is_across_models(11.0 + past) for past in (0.0, 0.9 * CONTENTION_SECONDS, 1.1 * CONTENTION_SECONDS)
    ] == [
        True,
        True,
        False,
    ]
