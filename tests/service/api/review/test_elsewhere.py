"""A gateway of a cluster has no rows: each path of the review says where they are, in one line."""

import pytest
from fastapi import FastAPI

from tests.support.serving.api_client import ApiClient
from tightrope.service.api.review.elsewhere import create_router

PATHS = ("/v1/reviews", "/v1/reviews.csv", "/v1/models/m/reviews", "/v1/models/m/reviews/next")


def client(**pages: str | None) -> ApiClient:
    """A client of a gateway of these models."""
    app = FastAPI()
    app.include_router(create_router(str, pages))
    return ApiClient(app)


@pytest.mark.parametrize("path", PATHS)
def test_each_path_names_the_page(path: str) -> None:
    """Or the port, where the configuration has no address."""
    assert client(m="https://r.example/review").get(path).json() == {
        "error": "rows of m are reviewed at https://r.example/review"
    }
    answer = client(m=None).get(path)
    assert answer.status_code == 404
    assert answer.json() == {"error": "rows of m are reviewed at /review on the port of its judge"}


def test_answer_at_a_gateway_is_refused_with_the_place() -> None:
    """It is not lost without a word."""
    answer = client(m=None).post("/v1/models/m/reviews/abc", json={"answer": "a"})
    assert answer.json() == {"error": "rows of m are reviewed at /review on the port of its judge"}


def test_page_links_to_the_address() -> None:
    """One line for each model."""
    page = client(m="https://r.example/review?a=1&b=2", n=None).get("/review")
    assert '<p>Rows of m are reviewed at <a href="https://r.example/review?a=1&amp;b=2">' in page.text
    assert "<p>Rows of n are reviewed at /review on the port of its judge.</p>" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_model_without_a_review_is_told() -> None:
    """With the key."""
    assert client().get("/v1/models/m/reviews/next").json() == {"error": "model m is not reviewed: set models.m.review"}
    assert "No model is reviewed: set models.NAME.review." in client().get("/review").text
