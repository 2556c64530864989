"""Authorisation with the right token, a wrong one or none, and without a configured token."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from tightrope.service.api.auth import require_application, require_operator

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


def get(check: Callable[..., None], header: bytes | None) -> httpx.Response:
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
def test_right_token_is_accepted(require: Callable[[str | None], Callable[..., None]], scheme: bytes) -> None:
    """The case of the scheme does not matter."""
    plain = "a-token"
    answer = get(require(plain), scheme + plain.encode())
    assert (answer.status_code, answer.json()) == (200, {"got": "in"})


@pytest.mark.parametrize("require", [require_operator, require_application])
@pytest.mark.parametrize("header", WRONG)
def test_any_other_header_is_refused(
    require: Callable[[str | None], Callable[..., None]], header: bytes | None
) -> None:
    """401, naming the scheme; characters beyond ASCII are handled."""
    answer = get(require(TOKEN), header)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json() == {"detail": "a valid bearer token is needed"}


@pytest.mark.parametrize("header", [*WRONG, GOOD])
def test_without_a_configured_token_no_operator_is_accepted(header: bytes | None) -> None:
    """Control is off, and the answer says how to switch it on."""
    answer = get(require_operator(None), header)
    assert answer.status_code == 403
    assert "TIGHTROPE_CONTROL_TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize("header", [*WRONG, GOOD])
def test_without_a_configured_token_every_application_is_accepted(header: bytes | None) -> None:
    """As for inference requests."""
    assert get(require_application(None), header).status_code == 200
