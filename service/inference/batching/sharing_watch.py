"""The watch over pairs whose requests share runs: what the baseline says to the same rows alone must be the same.

Made-up rows may not show that the rows of a run influence each other. On a share of the samples (`noise_share`) the
worker runs the baseline a second time, each sample alone; the first run was shared. Where more than `MOST_CONTRADICTED`
of these rows get another decision, the pair's requests run apart from then on. A regression without a tolerance is not
watched: there rounding, too, is another decision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tightrope.monitors.compare import Scale
from tightrope.monitors.status.progress import NoiseCounts
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.routing.periodic_check import PeriodicCheck

SHARING_CHECK_SECONDS = 5.0
"""Time between two checks."""

MIN_ASKED_TWICE = 200
"""Rows that the baseline was asked twice, before a share of them says anything."""

MOST_CONTRADICTED = 0.01
"""Share of them that may get another decision alone: rounding decides rows near a tie."""


@dataclass(frozen=True, slots=True)
class _Beginning:
    """A pair as it is served, and the counts when it was first looked at: those of the pair before are not its own."""

    pair: ModelPair
    counts: NoiseCounts


class SharingWatch:
    """Watches these pairs. ``counts_of`` gives the rows of a model that the judges saw asked twice, and contradicted;
    ``keep_apart`` keeps the requests to a pair apart, for a reason.
    """

    def __init__(
        self,
        pairs: Mapping[str, ModelPair],
        counts_of: Callable[[str], NoiseCounts],
        keep_apart: Callable[[ModelPair, str], None],
        metrics: GatewayMetrics,
    ) -> None:
        self._pairs = pairs
        self._counts_of = counts_of
        self._keep_apart = keep_apart
        self._metrics = metrics
        self._beginnings: dict[str, _Beginning] = {}
        self._periodic = PeriodicCheck("sharing-watch", SHARING_CHECK_SECONDS, self.check)
        metrics.before_scrape(self.show)

    def start(self) -> None:
        """Start to check."""
        self._periodic.start()

    def stop(self, timeout: float) -> None:
        """Stop checking."""
        self._periodic.stop(timeout)

    def show(self) -> None:
        """Update the metrics."""
        for name, pair in list(self._pairs.items()):
            self._metrics.set_kept_apart(name, apart=pair.batchability.is_kept_apart)

    def check(self) -> None:
        """Keep each pair apart whose baseline contradicts itself too often."""
        for name, pair in list(self._pairs.items()):
            if pair.batchability.is_closed or not _has_clear_decisions(pair):
                continue
            asked, contradicted = self._counts_since(name, pair)
            if asked >= MIN_ASKED_TWICE and contradicted > MOST_CONTRADICTED * asked:
                share = f"{contradicted / asked:.1%} of {asked} rows"
                self._keep_apart(pair, f"the baseline decides {share} otherwise when they are alone in their run")

    def _counts_since(self, name: str, pair: ModelPair) -> tuple[int, float]:
        """The rows asked twice and contradicted since a pair is served."""
        counts, began = self._counts_of(name), self._beginnings.get(name)
        if began is None:
            began = self._beginnings[name] = _Beginning(pair, NoiseCounts(asked_twice=0, contradictions=0))
        elif began.pair is not pair:  # a deployment; the judges may count on, or begin anew
            began = self._beginnings[name] = _Beginning(pair, counts)
        elif counts["asked_twice"] < began.counts["asked_twice"]:
            began = self._beginnings[name] = _Beginning(pair, NoiseCounts(asked_twice=0, contradictions=0))
        before = began.counts
        return (
            counts["asked_twice"] - before["asked_twice"],
            counts["contradictions"] - before["contradictions"],
        )


def _has_clear_decisions(pair: ModelPair) -> bool:
    """Whether rounding alone makes no other decision, but near a tie."""
    return pair.decision.scale is not Scale.REGRESSION or pair.decision.tolerance > 0
