"""Authorisation by a bearer token, compared in constant time (RFC 6750)."""

import secrets
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ControlToken",
    description="The token of `TIGHTROPE_CONTROL_TOKEN` or `server.control_token_file`",
)
BearerCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


CONTROL_IS_OFF = "control is off: set TIGHTROPE_CONTROL_TOKEN or server.control_token_file"


def require_operator(token: str | None) -> Callable[[HTTPAuthorizationCredentials | None], None]:
    """A dependency that demands the token, and refuses every request when no token is configured."""

    def check(credentials: BearerCredentials) -> None:
        if token is None:
            raise HTTPException(403, CONTROL_IS_OFF)
        _compare(credentials, token)

    return check


def require_application(token: str | None) -> Callable[[HTTPAuthorizationCredentials | None], None]:
    """A dependency that demands the token, and admits every request when no token is configured."""

    def check(credentials: BearerCredentials) -> None:
        if token is not None:
            _compare(credentials, token)

    return check


def _compare(credentials: HTTPAuthorizationCredentials | None, token: str) -> None:
    if credentials is None or not secrets.compare_digest(credentials.credentials.encode(), token.encode()):
        raise HTTPException(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
