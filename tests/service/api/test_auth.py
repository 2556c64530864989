"""Who may ask: with a token, with another, with none, and where none is configured."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from tightrope.service.api.auth import application, operator

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


def asked(check: Callable[..., None], given: bytes | None) -> httpx.Response:
    """The answer of a route behind this check."""
    app = FastAPI()

    @app.get("/", dependencies=[Depends(check)])
    def behind() -> dict[str, Any]:
        """What is guarded."""
        return {"got": "in"}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/", headers=[] if given is None else [(b"Authorization", given)])

    return asyncio.run(ask())


@pytest.mark.parametrize("who", [operator, application])
@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer "])
def test_token_lets_in(who: Callable[[str | None], Callable[..., None]], scheme: bytes) -> None:
    """Whatever the case of the scheme."""
    plain = "a-token"
    answer = asked(who(plain), scheme + plain.encode())
    assert (answer.status_code, answer.json()) == (200, {"got": "in"})


@pytest.mark.parametrize("who", [operator, application])
@pytest.mark.parametrize("given", WRONG)
def test_anything_else_is_kept_out(who: Callable[[str | None], Callable[..., None]], given: bytes | None) -> None:
    """401, naming the scheme; characters beyond ASCII break nothing."""
    answer = asked(who(TOKEN), given)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"detail": "a valid bearer token is needed"}


@pytest.mark.parametrize("given", [*WRONG, GOOD])
def test_without_a_token_there_is_no_operator(given: bytes | None) -> None:
    """Control is off, and the answer says how to switch it on."""
    answer = asked(operator(None), given)
    assert answer.status_code == 403
    assert "TIGHTROPE_CONTROL_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("given", [*WRONG, GOOD])
def test_without_a_token_every_application_may_ask(given: bytes | None) -> None:
    """As it may ask for inferences."""
    assert asked(application(None), given).status_code == 200
