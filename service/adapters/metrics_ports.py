"""Ports for metrics: what each component records. `prometheus.metrics.Metrics` implements all of them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from tightrope.monitors.plan import State
from tightrope.monitors.records import Event, Routes
from tightrope.monitors.status.reliability import ModelReliability
from tightrope.monitors.verdict import Verdict


class ReaderMetrics(Protocol):
    """Metrics of a reader of topics."""

    def record_dead(self, topic: str) -> None:
        """Count a record that could not be read."""

    def set_lag(self, group: str, records: int) -> None:
        """Show how many records a group has not read yet."""


class GatewayMetrics(ReaderMetrics, Protocol):
    """Metrics of a gateway."""

    def before_scrape(self, step: Callable[[], None], *, counts: bool = True) -> None:
        """Call ``step`` before every scrape, so that it can record deferred observations, and before counters are read
        unless it ``counts`` nothing: then it sets gauges alone.
        """

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics as text in the format that the Accept header prefers, and its content type."""

    def total(self, name: str, **labels: str) -> int:
        """The current value of a counter, by its name without prefix and suffix; 0 if it does not exist."""

    def counts(self, *names: str) -> Mapping[str, Mapping[tuple[str, ...], float]]:
        """The current values of counters by their names in the catalogue and their labels' values, with all that was
        deferred.
        """

    def record_request(self, model: str, outcome: str, seconds: float, request_id: str) -> None:
        """Count a request; a valid id becomes the exemplar of its latency bucket."""

    def record_runs(self, model: str, role: str, seconds: Iterable[float]) -> None:
        """Observe the durations of a model's runs."""

    def record_counts(self, counts: Mapping[str, Mapping[tuple[str, ...], float]]) -> None:
        """Add to counters, by their names in the catalogue and their labels' values."""

    def record_subgroup_rows(self, model: str, scopes: Sequence[str], rows: Iterable[int]) -> None:
        """Count answered rows by scope; ``rows`` has one entry a scope."""

    def record_failure(self, model: str, role: str, reason: str) -> None:
        """Count a failed run of a model."""

    def record_unmonitored(self, model: str, role: str, fault: str) -> None:
        """Count an answer that is given although its decision output cannot be read."""

    def record_payload_events(self, model: str, outcome: str, events: int = 1) -> None:
        """Count payload events by outcome."""

    def set_endpoint_up(self, model: str, role: str, *, up: bool | None) -> None:
        """Show whether a remote model is ready; None removes the metric, for a role that is a file now."""

    def set_model_info(self, model: str, owner: str, page: str, mode: str) -> None:
        """Show a model's owner, empty for none, when its alerts page, and its written mode."""

    def set_qualification(
        self, model: str, verdict: str, expires: float | None, numerics: Mapping[str, tuple[float, float]]
    ) -> None:
        """Show the verdict of a model's statement, its expiry in seconds since the epoch, and for each role the
        distance of its answers from the golden ones, with the bound.
        """

    def set_fallback_share(self, model: str, share: float) -> None:
        """Show the share of the fallback traffic that the baseline can carry."""

    def set_kept_apart(self, model: str, *, apart: bool) -> None:
        """Show whether the requests to a model run apart because of what was seen in service."""

    def set_blind_scopes(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each subgroup whether the gateway answers it with the baseline because its rows are not judged."""

    def set_starved(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each scope whether too few of its requests are kept."""

    def set_lost(self, model: str, scopes: Mapping[str, bool]) -> None:
        """Show for each scope whether most of its kept rows do not reach the judge."""

    def set_blind(self, model: str, *, blind: bool) -> None:
        """Show whether the baseline answers every request, because no row is judged."""

    def set_judge_missing(self, model: str, causes: Mapping[str, bool]) -> None:
        """Show, by cause, whether the baseline answers every request because no judge of the plan is heard."""

    def set_judge_age(self, model: str, seconds: float) -> None:
        """Show the time since the last heartbeat of a model's judge."""

    def set_control_age(self, seconds: float) -> None:
        """Show the time since the last message of the judges."""

    def set_routes(self, routes: Routes, states: Iterable[str]) -> None:
        """Show the scopes in safe mode, and which of all ``states`` each scope is in."""


class WorkerMetrics(ReaderMetrics, Protocol):
    """Metrics of a worker."""

    def record_dropped(self, model: str, reason: str, samples: int = 1) -> None:
        """Count samples that could not be used."""

    def record_comparisons(
        self,
        model: str,
        scopes: Sequence[str],
        compared: Any,  # noqa: ANN401 - an array
        disagreed: Any,  # noqa: ANN401 - an array
        faulty: Any,  # noqa: ANN401 - an array
    ) -> None:
        """Count a batch of comparisons; the three arrays have shape (scopes,)."""

    def record_counts(self, counts: Mapping[str, Mapping[tuple[str, ...], float]]) -> None:
        """Add to counters, by their names in the catalogue and their labels' values."""

    def record_hosts(self, model: str, rows: Mapping[str, int]) -> None:
        """Count compared rows by the class of the host that ran the compressed model."""

    def observe_batch(self, rows: int) -> None:
        """Observe the rows of one batch of comparisons."""


class JudgeMetrics(ReaderMetrics, Protocol):
    """Metrics of a judge."""

    def keep_judged_models(self, models: Collection[str]) -> None:
        """Remove the judge's gauges of all other models: another judge shows them."""

    def record_judged(self, model: str, rows: int) -> None:
        """Count rows that were judged."""

    def record_repeated(self, model: str, rows: int) -> None:
        """Count rows that were delivered again."""

    def record_stale(self, model: str, reason: str, rows: int) -> None:
        """Count rows that the judge's plan does not cover, by the reason."""

    def record_log_reset(self, topic: str, reason: str) -> None:
        """Count a log that was made anew, ends before a stored position, or was lost."""

    def record_transitions(self, events: Iterable[Event]) -> None:
        """Count the events that are inputs to the safe-mode table."""

    def show_added(self, model: str, scopes: Collection[str]) -> None:
        """Let the found groups that are scopes of a model have series, and no others."""

    def set_verdicts(self, model: str, verdicts: Iterable[Verdict]) -> None:
        """Show the verdicts of all monitors."""

    def set_reliability(self, model: str, found: ModelReliability | None) -> None:
        """Show the reliability curves of both models."""

    def set_held_breaches(self, model: str, breached: Mapping[str, bool]) -> None:
        """Show, by scope, whether it breached while an operator held it in normal mode."""

    def set_state_unreadable(self, model: str, *, unread: bool) -> None:
        """Show whether a scope is in safe mode because the earlier state could not be read."""

    def set_label_figures(self, state: State, model: str) -> None:
        """Show the outcomes and the coverage of labels, the dependence of rows, found groups, and repeats."""
