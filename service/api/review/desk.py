"""The desk of the reviewers: which row comes next, what was said, and the labels that follow."""

import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from tightrope.monitors.review.opinions import Opinion, kappa, true_class
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.review.daily_chances import DailyChances
from tightrope.service.adapters.review.label_outbox import LabelOutbox
from tightrope.service.adapters.sqlite.review_table import GivenOpinion, ReviewRow, ReviewTable
from tightrope.service.errors import ConflictError, UnknownModelError, quote
from tightrope.service.routing.periodic_check import PeriodicCheck

log = logging.getLogger(__name__)

UNDO_SECONDS = 60.0
"""An answer can be taken back for this long, or until the reviewer's next answer."""

SETTLE_SECONDS = 5.0
"""Seconds between two looks for answers that are final."""

ELSEWHERE = "its rows are reviewed at /review on the port of that judge"
"""The end of the line of a judge that does not judge a model."""


@dataclass(frozen=True, slots=True)
class ReviewedDecision:
    """How a model's rows are reviewed: its reviewers by token, the titles of its classes (empty: unknown), and the
    seconds for which a row waits for a label, and for which all about it is kept.
    """

    reviewers: Mapping[str, str]
    titles: Sequence[str]
    horizon_seconds: float
    keep_seconds: float

    def title(self, label: int) -> str:
        """The title of a class."""
        return self.titles[label] if label < len(self.titles) else f"class {label}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far reviewers agree: rows that two people answered, the share of equal answers, and Cohen's kappa."""

    rows: int
    share: float
    kappa: float


class ReviewDesk:
    """Hands out rows and takes answers. An answer becomes a label once it cannot be taken back any more.

    ``daily`` has the probabilities of the day, where there is a daily cap. ``is_asked`` tells whether rows of a model
    are asked here: in a cluster, where it is judged.
    """

    def __init__(
        self,
        table: ReviewTable,
        outbox: LabelOutbox,
        models: Mapping[str, ReviewedDecision],
        metrics: GatewayMetrics,
        clock: Callable[[], float] = time.time,
        daily: DailyChances | None = None,
        is_asked: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._table = table
        self._outbox = outbox
        self.models = models
        self.is_asked = is_asked
        self._metrics = metrics
        self._clock = clock
        self.daily = daily
        self._check = PeriodicCheck("reviews", SETTLE_SECONDS, self.settle)

    def start(self) -> None:
        """Start to make old answers final."""
        self._check.start()

    def stop(self, timeout: float) -> None:
        """Stop."""
        self._check.stop(timeout)

    def reviewer(self, model: str, token: str) -> str | None:
        """The digest of the reviewer with this token; compared in constant time."""
        decision = self._decision(model)
        found = [
            name for own, name in decision.reviewers.items() if secrets.compare_digest(own.encode(), token.encode())
        ]
        return reviewer_digest(found[0]) if found else None

    def next(self, model: str, reviewer: str) -> ReviewRow | None:
        """The next row for a reviewer; None if none waits.

        Raises:
            UnknownModelError: when rows of this model are asked elsewhere.
        """
        if not self.is_asked(model):
            raise UnknownModelError(f"another judge judges {model}: {ELSEWHERE}")
        return self._table.next(model, reviewer)

    def waiting(self, model: str, reviewer: str) -> int:
        """The number of rows that wait for a reviewer."""
        return self._table.waiting(model, reviewer)

    def answer(
        self, model: str, reviewer: str, name: str, opinion: Opinion, named: int | None, seconds: float
    ) -> int | None:
        """Take an answer; it makes the reviewer's earlier ones final. Returns the label that follows, if any.

        Raises:
            UnknownModelError: when there is no such row.
            ConflictError: when the row was answered by this reviewer, finally.
        """
        row = self._table.row(model, name)
        if row is None or row.document is None:
            raise UnknownModelError(f"no row {quote(name)} waits for a review")
        label = true_class(opinion, row.a, row.b, classes=len(self._decision(model).titles), named=named)
        given = GivenOpinion(name, reviewer, opinion, label, seconds, self._clock())
        if not self._table.store(given):
            raise ConflictError(f"row {quote(name)}: its answer is final")
        self._finish(self._table.due(self._clock() - UNDO_SECONDS, reviewer, spare=name))
        if self._outbox.is_immediate:
            self._outbox.deliver()
        return label

    def take_back(self, model: str, reviewer: str, name: str) -> ReviewRow:
        """Take an answer back; returns its row.

        Raises:
            UnknownModelError: when there is no such answer, or it is final.
        """
        row = self._table.row(model, name)
        if row is None or not self._table.take_back(name, reviewer):
            raise UnknownModelError(f"no answer about row {quote(name)} can be taken back")
        return row

    def settle(self) -> None:
        """Make answers final that can no longer be taken back, and forget what is too old."""
        now = self._clock()
        self._finish(self._table.due(now - UNDO_SECONDS))
        self._outbox.deliver()
        for model, decision in self.models.items():
            waits = min(decision.horizon_seconds, decision.keep_seconds)
            if given_up := self._table.forget(model, waiting_before=now - waits, before=now - decision.keep_seconds):
                log.warning("%s: %d rows were not reviewed in time and are deleted", model, given_up)

    def opinions(self, model: str) -> list[tuple[GivenOpinion, ReviewRow]]:
        """All final answers about a model's rows."""
        return self._table.opinions(model)

    def agreement(self, model: str) -> Agreement:
        """How far the answers of two people about one row agree."""
        by_row = groupby(sorted(self.opinions(model), key=lambda pair: pair[0].id), key=lambda pair: pair[0].id)
        pairs = [next(pairwise(each), None) for each in ([one.opinion for one, _ in group] for _, group in by_row)]
        both = [pair for pair in pairs if pair is not None]
        same = sum(first == second for first, second in both)
        return Agreement(len(both), same / len(both) if both else float("nan"), kappa(both))

    def _finish(self, due: Sequence[tuple[GivenOpinion, ReviewRow]]) -> None:
        """Make answers final, and hand their labels to the outbox."""
        for given, row in due:
            self._table.finish(given)
            self._metrics.record_counts({"reviews": {(row.model, given.opinion): 1}})

    def _decision(self, model: str) -> ReviewedDecision:
        if model not in self.models:
            raise UnknownModelError(f"model {quote(model)} is not reviewed: set models.{model}.review")
        return self.models[model]


def reviewer_digest(name: str) -> str:
    """The digest of a reviewer's name that stands in labels and in the export."""
    return hashlib.sha256(f"reviewer {name}".encode()).hexdigest()[:12]
