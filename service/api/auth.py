"""Who may do what: a bearer token, compared in constant time (RFC 6750)."""

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

BEARER = HTTPBearer(auto_error=False)
Given = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def operator(token: str | None) -> Callable[[HTTPAuthorizationCredentials | None], None]:
    """Only with the token; without one configured, nobody."""

    def check(given: Given) -> None:
        if token is None:
            raise HTTPException(403, "control is off: set TIGHTROPE_CONTROL_TOKEN or server.control_token_file")
        _compare(given, token)

    return check


def application(token: str | None) -> Callable[[HTTPAuthorizationCredentials | None], None]:
    """With the token, if one is configured; otherwise anybody who may ask for inferences."""

    def check(given: Given) -> None:
        if token is not None:
            _compare(given, token)

    return check


def _compare(given: HTTPAuthorizationCredentials | None, token: str) -> None:
    if given is None or not secrets.compare_digest(given.credentials.encode(), token.encode()):
        raise HTTPException(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
