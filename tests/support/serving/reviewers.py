"""The reviewers of a server under test."""

from tests.support.servers import Server

SENT = 24
"""Rows that were sent, all of them disagreements."""

REVIEWERS = {"ana": "token-of-ana", "bo": "token-of-bo"}


def of(name: str) -> dict[str, str]:
    """The header of a reviewer."""
    return {"Authorization": f"Bearer {REVIEWERS[name]}"}


def waiting(server: Server, name: str) -> int:
    """The rows that wait for a reviewer."""
    found: int = server.client.get("/v1/reviews", headers=of(name)).json()["models"][0]["waiting"]
    return found
