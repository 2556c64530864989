"""Probes of load balancers and proxies: HEAD, and paths with a slash at their end."""

import httpx
import pytest

PATHS = (
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/plain",
    "/v2/models/plain/ready",
    "/v2/models/plain/versions/1",
    "/v1/models",
    "/metrics",
    "/openapi.json",
)
SEEN_THROUGH_A_PROXY = {"Host": "models.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/team"}


@pytest.mark.parametrize("path", [*PATHS, "/v2/models/nope", "/v2/models/plain/infer", "/nothing"])
def test_head_is_answered_as_get_without_its_body(client: httpx.Client, path: str) -> None:
    """The status, the type and the length are those of GET."""
    with_body, without = client.get(path), client.head(path)
    assert without.status_code == with_body.status_code
    assert without.content == b""
    assert without.headers["content-type"] == with_body.headers["content-type"]
    assert int(without.headers["content-length"]) > 0
    assert client.get("/v2/health/live").json() == {"live": True}  # the connection is still in step


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
def test_slash_at_the_end_is_no_redirect(client: httpx.Client, path: str, method: str) -> None:
    """A proxy that ends TLS, or adds a prefix, would get a place that is not there: the answer comes at once."""
    answer = client.request(method, path + "/", headers=SEEN_THROUGH_A_PROXY)
    assert (answer.status_code, "location" in answer.headers) == (200, False)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/nothing/", "/v2/health/live//", "//", "//example.org/", "/v2//models/"])
def test_other_paths_with_a_slash_are_not_found(client: httpx.Client, path: str, method: str) -> None:
    """None is sent elsewhere."""
    answer = client.request(method, str(client.base_url) + path, headers=SEEN_THROUGH_A_PROXY)
    assert (answer.status_code, "location" in answer.headers) == (404, False)
    assert answer.json() == {"error": "Not Found"}
