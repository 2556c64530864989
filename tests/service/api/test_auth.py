"""Authorisation with the right token, a wrong one or none, and without a configured token."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from tightrope.service.api.auth import LOOK_ONLY, actor_of, guarded_view, require_application, require_operator
from tightrope.service.config.access import AccessTokens
from tightrope.service.errors import CallerError

TOKEN = "tökén"
GOOD = f"Bearer {TOKEN}".encode()
WRONG: list[bytes | None] = [
    None,
    b"",
    b"Bearer",
    b"Bearer ",
    b"Bearer tok",
    GOOD + b"x",
    b"Basic dDp0",
    TOKEN.encode(),
]


def get(check: Callable[..., object], header: bytes | None) -> httpx.Response:
    """Call a route that this check guards."""
    app = FastAPI()

    @app.get("/", dependencies=[Depends(check)])
    def guarded() -> dict[str, Any]:
        """A guarded route."""
        return {"got": "in"}

    async def call() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/", headers=[] if header is None else [(b"Authorization", header)])

    return asyncio.run(call())


@pytest.mark.parametrize("require", [require_operator, require_application])
@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer "])
def test_right_token_is_accepted(require: Callable[[AccessTokens], Callable[..., object]], scheme: bytes) -> None:
    """The case of the scheme does not matter."""
    plain = "a-token"
    answer = get(require(AccessTokens(plain)), scheme + plain.encode())
    assert (answer.status_code, answer.json()) == (200, {"got": "in"})


@pytest.mark.parametrize("require", [require_operator, require_application])
@pytest.mark.parametrize("header", WRONG)
def test_any_other_header_is_refused(
    require: Callable[[AccessTokens], Callable[..., object]], header: bytes | None
) -> None:
    """401, naming the scheme; characters beyond ASCII are handled."""
    answer = get(require(AccessTokens(TOKEN)), header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"detail": "a valid bearer token is needed"}


@pytest.mark.parametrize("header", [*WRONG, GOOD])
def test_without_a_configured_token_no_operator_is_accepted(header: bytes | None) -> None:
    """Control is off, and the answer says how to switch it on."""
    answer = get(require_operator(AccessTokens()), header)
    assert answer.status_code == 403
    assert "TIGHTROPE_CONTROL_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("header", [*WRONG, GOOD])
def test_without_a_configured_token_every_application_is_accepted(header: bytes | None) -> None:
    """As for inference requests."""
    assert get(require_application(AccessTokens()), header).status_code == 200


NAMED = AccessTokens(control="c", operators={"ann": "a", "ben": "b"}, view="v")


@pytest.mark.parametrize(("token", "name"), [("a", "ann"), ("b", "ben"), ("c", "")])
def test_operator_is_known_by_the_token(token: str, name: str) -> None:
    """A name that is typed does not count; the control token has none, so that one is typed."""
    found: list[str] = []

    def check(owner: Annotated[str, Depends(require_operator(NAMED))]) -> None:
        found.append(owner)

    assert get(check, f"Bearer {token}".encode()).status_code == 200
    assert found == [name]
    assert actor_of(name, "typed") == (name or "typed")


def test_order_without_a_name_is_refused() -> None:
    """Neither the token nor the body has one."""
    with pytest.raises(CallerError, match="actor: is missing"):
        actor_of("", None)
    assert actor_of("ann", None) == "ann"


def test_token_of_those_who_look_gives_no_order() -> None:
    """403: it is known, and too little."""
    for require in (require_operator, require_application):
        answer = get(require(NAMED), b"Bearer v")
        assert (answer.status_code, answer.json()) == (403, {"detail": LOOK_ONLY})


def test_data_need_a_token_only_where_one_is_configured() -> None:
    """That of those who look, or any that gives orders."""
    assert guarded_view(AccessTokens(control="c", operators={"ann": "a"})) == {}
    (guard,) = guarded_view(NAMED)["dependencies"]
    statuses = {token: get(guard.dependency, f"Bearer {token}".encode()).status_code for token in "vabcx"}
    assert statuses == {"v": 200, "a": 200, "b": 200, "c": 200, "x": 401}
    answer = get(guard.dependency, None)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
