"""Who is there at the same time: it counts for a moment after it was last seen."""

from tightrope.service.inference.contention import RECENT, Company


def test_first_request_of_all_is_alone() -> None:
    """Whatever the clock says."""
    company = Company()
    assert not company.is_there(0.0)
    assert not company.is_shared(0.0)


def test_company_counts_for_a_moment() -> None:
    """Then whoever comes is alone again."""
    company = Company()
    company.meet(10.0, others=False)
    assert [company.is_there(10.0 + past) for past in (0.0, 0.9 * RECENT, 1.1 * RECENT)] == [True, True, False]


def test_only_a_request_of_another_model_shares() -> None:
    """Several of one model are company, and share nothing."""
    company = Company()
    company.meet(10.0, others=False)
    assert not company.is_shared(10.0)
    company.meet(11.0, others=True)
    assert [company.is_shared(11.0 + past) for past in (0.0, 0.9 * RECENT, 1.1 * RECENT)] == [True, True, False]
