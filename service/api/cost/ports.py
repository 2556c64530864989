"""The port to what each model cost by day."""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

from tightrope.service.adapters.ledger.day_cost import DayCost


class DailyCosts(Protocol):
    """Reads what each model cost by day, over restarts."""

    def between(self, model: str, first: date, last: date) -> Sequence[DayCost]:
        """Return the cost of a model on each UTC day from ``first`` to ``last``, both included, in their order; days of
        which nothing is known are left out. What a clock that ran ahead put on a day after today counts as today's.

        Raises:
            UnavailableError: when the days cannot be read now.
        """
