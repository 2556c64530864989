"""The daily cap of a model's reviews for operators: the rows of today by group, and the probabilities."""

from datetime import UTC, datetime

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.review.daily_cap import SECONDS_PER_DAY, GroupRows
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.review.status_documents import DailyReview, ReviewedGroup


def daily_review(daily: DailyChances, model: str) -> DailyReview:
    """The rows and probabilities of a model that has a daily cap, the model first, then its groups by name."""
    cap, days = daily.caps[model], daily.today(model)
    tomorrow = days.tomorrow(cap)
    known = {MODEL_SCOPE, *days.rows, *days.chances.groups, *tomorrow.groups}
    groups: list[ReviewedGroup] = []
    for name in sorted(known, key=lambda scope: (scope != MODEL_SCOPE, scope)):
        seen = days.rows.get(name, GroupRows())
        groups.append(
            {
                "name": name,
                "drawn": seen.drawn,
                "probability": days.chances.groups.get(name, cap.draw.most),
                "tomorrow": tomorrow.groups.get(name, cap.draw.most),
                "tomorrow_rows": round(cap.expected(seen, name, tomorrow), 1),
            }
        )
    return {
        "day": datetime.fromtimestamp(days.day * SECONDS_PER_DAY, UTC).date().isoformat(),
        "per_group_daily": cap.rows,
        "least_probability": cap.draw.least,
        "random": days.chances.random,
        "random_tomorrow": tomorrow.random,
        "groups": groups,
    }
