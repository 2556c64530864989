"""Authorisation by a bearer token, compared in constant time (RFC 6750)."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tightrope.service.api.openapi import refusals
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import CallerError

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ControlToken",
    description="The token of `TIGHTROPE_CONTROL_TOKEN` or `server.control_token_file`, or an operator's own",
)
VIEW_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="ViewToken",
    description="The token of `server.view_token_file`, or one that may give orders",
)
BearerCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
ViewCredentials = Annotated[HTTPAuthorizationCredentials | None, Depends(VIEW_BEARER)]


CONTROL_IS_OFF = "control is off: set TIGHTROPE_CONTROL_TOKEN or server.control_token_file"
LOOK_ONLY = "this token is for those who look; an order needs an operator's"
NO_NAME = "actor: is missing; only the token of an operator of server.operators has a name"


def require_operator(tokens: AccessTokens) -> Callable[[HTTPAuthorizationCredentials | None], str]:
    """A dependency that demands a token for orders, and refuses every request when none is configured. It returns the
    name of the token's owner; empty for the control token.
    """

    def check(credentials: BearerCredentials) -> str:
        if not tokens.has_control:
            raise HTTPException(403, CONTROL_IS_OFF)
        return _owner(credentials, tokens)

    return check


def require_application(tokens: AccessTokens) -> Callable[[HTTPAuthorizationCredentials | None], None]:
    """A dependency that demands a token for orders, and admits every request when none is configured."""

    def check(credentials: BearerCredentials) -> None:
        if tokens.has_control:
            _owner(credentials, tokens)

    return check


def guarded_view(tokens: AccessTokens) -> dict[str, Any]:
    """The arguments with which a router that shows data is included: with a token for those who look it is demanded."""
    if tokens.view is None:
        return {}

    def check(credentials: ViewCredentials) -> None:
        if not tokens.may_look(_given(credentials)):
            raise _unauthorised()

    return {"dependencies": [Depends(check)], "responses": refusals(401)}


def actor_of(operator: str, typed: str | None) -> str:
    """The name under which an order is on record: that of the token's owner, or else the one that was typed.

    Raises:
        CallerError: when there is neither.
    """
    if not (name := operator or typed):
        raise CallerError(NO_NAME)
    return name


def _owner(credentials: HTTPAuthorizationCredentials | None, tokens: AccessTokens) -> str:
    token = _given(credentials)
    owner = tokens.operator(token)
    if owner is not None:
        return owner
    if tokens.may_look(token):
        raise HTTPException(403, LOOK_ONLY)
    raise _unauthorised()


def _given(credentials: HTTPAuthorizationCredentials | None) -> str:
    return credentials.credentials if credentials else ""


def _unauthorised() -> HTTPException:
    return HTTPException(401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
