"""Mistakes in the configuration of the review are told in one line each, with the key."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.support.configs import write_config
from tests.support.harmful_pair import write_models
from tightrope.monitors.records import Comparisons
from tightrope.monitors.review.daily_cap import DailyCap
from tightrope.monitors.veto.drawing import LabelDraw
from tightrope.service.adapters.memory_bus import MemoryBus
from tightrope.service.adapters.ports import NoArchive
from tightrope.service.adapters.prometheus.metrics import Metrics
from tightrope.service.app import load_pairs
from tightrope.service.config.loader import ConfigError, load
from tightrope.wiring.review import NO_CLUSTER_CAP, Review, reviewer_tokens


def mistakes(folder: Path, review: dict[str, Any], **settings: object) -> list[str]:
    """Return the mistakes of a configuration of the review."""
    model = {**write_models(folder), "labels": {}, "review": review}
    try:
        reviewer_tokens(load(write_config(folder, {"models": {"m": model}, **settings})))
    except ConfigError as error:
        return [line.replace(f"{folder}/", "") for line in error.problems]
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the tokens of two reviewers."""
    for name in ("ana", "bo"):
        (tmp_path / name).write_text(f"token-of-{name}")
    return tmp_path


def test_each_reviewer_has_a_token(folder: Path) -> None:
    """By model, and by token."""
    model = {**write_models(folder), "labels": {}, "review": {"reviewers": {"ana": "ana", "bo": "bo"}}}
    settings = load(write_config(folder, {"models": {"m": model, "n": {**write_models(folder)}}}))
    assert reviewer_tokens(settings) == {"m": {"token-of-ana": "ana", "token-of-bo": "bo"}}


def test_missing_and_shared_tokens_are_all_named(folder: Path) -> None:
    """With the key, the file, and what would be right."""
    assert mistakes(folder, {"reviewers": {"ana": "ana", "eve": "ana", "bo": "nowhere"}}) == [
        "models.m.review.reviewers.bo: nowhere: No such file or directory",
        "models.m.review.reviewers.eve: ana: is the token of ana, too; each needs one of their own",
    ]


def test_review_works_in_a_cluster(folder: Path) -> None:
    """At the judges; gateways get the address of the page."""
    bus = {"kafka": {"servers": ["127.0.0.1:1"]}}
    assert mistakes(folder, {"reviewers": {"ana": "ana"}, "page": "https://review.example/"}, bus=bus) == []


def test_address_of_the_page_is_one_that_browsers_open(folder: Path) -> None:
    """Another one is refused with the key."""
    (mistake,) = mistakes(folder, {"reviewers": {"ana": "ana"}, "page": "javascript:alert(1)"})
    assert "models.m.review.page: " in mistake


def test_rows_of_the_day_are_saved_when_the_review_stops(folder: Path) -> None:
    """A model without a cap has no days; the next start goes on with those that are stored."""
    capped = {"reviewers": {"ana": "ana"}, "per_group_daily": 20, "least_probability": 0.1}
    model = {**write_models(folder), "labels": {"disagreements": 0.5}}
    written = {"m": {**model, "review": capped}, "n": {**model, "review": {"reviewers": {"ana": "ana"}}}}
    settings = load(write_config(folder, {"models": written, "state": "state"}))
    pairs = load_pairs(settings)

    def build() -> Review:
        review = Review.build(settings, pairs, MemoryBus(), NoArchive(), Metrics(CollectorRegistry()))
        assert review is not None
        return review

    first = build()
    assert first.daily.caps == {"m": DailyCap(LabelDraw(0.5, 0.01, floor=0.1), rows=20)}
    first.start()
    first.daily.stamp(Comparisons.from_columns(9, model="m", disagree=True))
    first.stop(10.0)
    second = build()
    days = second.daily.today("m")
    assert [days.rows, *days.completed.values()][-1]["model"].disagreements == 9
    second.table.close()


def test_daily_cap_in_a_cluster_is_refused(folder: Path) -> None:
    """Several workers would each count their own rows."""
    bus = {"kafka": {"servers": ["127.0.0.1:1"]}}
    found = mistakes(folder, {"reviewers": {"ana": "ana"}, "per_group_daily": 20}, bus=bus)
    assert f"models.m.review.per_group_daily: is 20, and {NO_CLUSTER_CAP}" in found


def test_cap_that_can_lower_nothing_is_refused(folder: Path) -> None:
    """With the keys, their values, and what would be right."""
    review = {"reviewers": {"ana": "ana"}, "per_group_daily": 20, "least_probability": 0.5}
    model = {**write_models(folder), "labels": {"disagreements": 0.2}, "review": review}
    with pytest.raises(ConfigError) as caught:
        load(write_config(folder, {"models": {"m": model}}))
    (line,) = caught.value.problems
    assert "models.m: " in line
    assert "review.per_group_daily is 20, but review.least_probability is 0.5 and a disagreement is drawn with 0.2" in (
        line
    )


def test_review_without_labels_is_refused(folder: Path) -> None:
    """Answers of reviewers would be lost."""
    model = {**write_models(folder), "review": {"reviewers": {"ana": "ana"}}}
    with pytest.raises(ConfigError, match="review needs labels"):
        load(write_config(folder, {"models": {"m": model}}))
