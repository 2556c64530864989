"""The paths of reviewers show a row without the models behind it, and each token has its own rights."""

import pytest

from tests.support.configs import TOKEN
from tests.support.servers import Server
from tests.support.serving.reviewers import of

OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


def test_models_behind_the_answers_are_not_in_the_answer_of_the_server(reviewed: Server) -> None:
    """Neither names of roles nor a sureness, a group or a digest."""
    text = reviewed.client.get("/v1/models/m/reviews/next", headers=of("bo")).text
    for word in ("baseline", "compressed", "confidence", "group", "digest", "order"):
        assert word not in text


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/reviews", {}, 401),
        ("/v1/reviews", OPERATOR, 401),
        ("/v1/models/m/reviews/next", {"Authorization": "Bearer guessed"}, 401),
        ("/v1/models/n/reviews/next", {"Authorization": "Bearer token-of-ana"}, 404),
        ("/v1/models/m/reviews", {"Authorization": "Bearer token-of-ana"}, 401),
        ("/v1/reviews.csv?model=m", {"Authorization": "Bearer token-of-ana"}, 401),
        ("/v1/reviews.csv?model=n", OPERATOR, 404),
    ],
)
def test_reviewers_and_operators_have_separate_rights(
    reviewed: Server, path: str, headers: dict[str, str], status: int
) -> None:
    """A reviewer's token shows rows; the operator's shows what was said."""
    answer = reviewed.client.get(path, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]
