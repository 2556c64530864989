"""Rows under review at a judge whose model another judge has taken over."""

import logging
import time
from collections.abc import Callable, Iterable

from tightrope.service.adapters.review.unanswered_rows import abandon_rows
from tightrope.service.adapters.sqlite.review_table import ReviewTable

log = logging.getLogger(__name__)

ABANDON_SECONDS = 600.0
"""Time after which a model that is not judged here counts as taken over: a rebalance, or a start, is shorter."""


class ReviewHandover:
    """Deletes the rows that wait at a judge which does not judge their model any more, with their inputs: its successor
    asks for what is drawn there. What was answered stays, and its labels are published. ``clock`` is monotonic (s).
    """

    def __init__(
        self,
        table: ReviewTable,
        models: Iterable[str],
        is_judged: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table, self._is_judged, self._clock = table, is_judged, clock
        self._judged = dict.fromkeys(models, clock())

    def check(self) -> None:
        """Look which models are judged here, and delete the rows of those that are not any more.

        Raises:
            UnavailableError: when the disk fails.
        """
        for model, last in self._judged.items():
            if self._is_judged(model):
                self._judged[model] = self._clock()
            elif self._clock() - last > ABANDON_SECONDS and (rows := abandon_rows(self._table, model)):
                log.warning("%s: another judge has taken over, so %d rows are not reviewed here any more", model, rows)
