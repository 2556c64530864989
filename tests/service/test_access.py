"""Who may do what: with the token, without one, and when none is configured."""

import pytest
from fastapi import HTTPException
from fastapi.security import HTTPAuthorizationCredentials

from service.access import application, operator


def given(token: str) -> HTTPAuthorizationCredentials:
    """What a caller sends."""
    return HTTPAuthorizationCredentials(scheme="Bearer", credentials=token)


@pytest.mark.parametrize("check", [operator("s3cret"), application("s3cret")])
def test_right_token_is_let_through_and_no_other(*, check: object) -> None:
    """Neither a part of it, nor none, nor one with more; an answer says what is needed."""
    assert callable(check)
    check(given("s3cret"))
    for wrong in (None, given(""), given("s3cre"), given("s3cret "), given("S3CRET"), given("sécrét")):
        with pytest.raises(HTTPException) as caught:
            check(wrong)
        assert (caught.value.status_code, caught.value.headers) == (401, {"WWW-Authenticate": "Bearer"})


def test_without_a_token_nobody_operates() -> None:
    """403, and how to switch it on."""
    for sent in (None, given(""), given("None")):
        with pytest.raises(HTTPException, match="control is off") as caught:
            operator(None)(sent)
        assert caught.value.status_code == 403


def test_without_a_token_applications_are_let_through() -> None:
    """Whoever may ask for inferences may tell what came of them."""
    application(None)(None)
    application(None)(given("anything"))


def test_token_beyond_ascii_can_be_compared() -> None:
    """In constant time, byte by byte."""
    operator("tökén")(given("tökén"))
