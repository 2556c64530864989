"""The page of the reviewers at ``/review``: without a network, and without code of others."""

from pathlib import Path

from fastapi import APIRouter

from tightrope.service.api.front_page.routes import page_router

REVIEW_FOLDER = Path(__file__).parent / "assets"
REVIEW_INDEX = "review.html"


def create_page_router() -> APIRouter:
    """``GET /review`` and the files of its page."""
    return page_router(REVIEW_FOLDER, REVIEW_INDEX, "/review", "/review")
