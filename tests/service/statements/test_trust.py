from tests.support.statements import ANA, DAN, TRUST, sample_opinion, sample_statement


def test_keys_of_any_role_are_asked() -> None:
    """Whether a listed key signed a line does not depend on the role that it names."""
    statement = sample_statement()
    assert TRUST.has_signed(sample_opinion(statement, ANA, "unheard-of"))
    assert not TRUST.has_signed(sample_opinion(statement, DAN, "owner"))
    assert not TRUST.has_signed(statement)
