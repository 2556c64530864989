"""Deferred sampling and metrics, batched off the request path.

How it works: `note` queues an answered batch. `sample`, called some times a second, draws all queued requests, joins
those of one pair that are likely to be kept, and offers them to the outbox as one `SampleBatch`; runs and rows are
counted in bulk, because a sample or an observation by itself costs as much as a small model's run.
"""

import logging
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from msgspec import Struct

from tightrope.monitors.intake.sample_batch import SampleBatch, concatenate_tensors
from tightrope.monitors.intake.sampling import DrawKey
from tightrope.monitors.records import Floats, Ints, Role
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.prometheus.metrics import drain
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batch import BatchExecution, RequestBatch
from tightrope.service.inference.decisions import inclusion_of
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.inference.runs.sizes import count_elements
from tightrope.service.outbox import Outbox
from tightrope.service.sampling.carried_tensors import carried_tensors
from tightrope.service.sampling.draws import DrawnRequests, caller_digests, chunks, draw_requests
from tightrope.service.sampling.membership import members
from tightrope.service.sampling.run_costs import RunCosts
from tightrope.service.sampling.served_counts import ServedCounts, expected_requests, kept_requests

log = logging.getLogger(__name__)

MAX_UNCOUNTED_RUNS = 256
"""Runs after which they are counted even if no scrape asks for it: the run profiles are updated by it."""

SAMPLING_FAILED = "answered requests could not be sampled"
SUBGROUPS_UNCOUNTED = "the rows of subgroups could not be counted"


class _RunCounts(Struct):
    """The counts of a run: its rows, elements and seconds, the requests and rows whose answer it gave, and those of
    the rows refused; of all its rows those that its role would refuse, and of the batch, with its first run, the rows
    that were escalated.
    """

    model: str
    role: Role
    action: str
    run_rows: int
    seconds: float
    requests: int
    rows: int
    refused: int
    would_refuse: int
    escalated: int
    elements: int


class AnswerRecorder:
    """Offers samples to the outbox, counts in the metrics, and updates the run profiles. A scrape of the metrics has
    everything counted first. ``served`` counts what should be kept, and what is.
    """

    def __init__(
        self, outbox: Outbox, metrics: GatewayMetrics, profiles: Mapping[str, RunProfile], key: DrawKey
    ) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._profiles = profiles
        self._key = key
        self.served = ServedCounts()
        self._costs = RunCosts(profiles)
        self._noted: deque[BatchExecution] = deque()
        self._runs: deque[_RunCounts] = deque()
        self._kept: deque[tuple[str, int]] = deque()
        self._subgroup_rows: deque[tuple[str, tuple[str, ...], Ints]] = deque()
        metrics.before_scrape(self.settle)

    def note(self, execution: BatchExecution) -> None:
        """Queue an answered batch."""
        self._noted.append(execution)

    def sample(self) -> int:
        """Sample all queued requests, those of one pair together; returns their number."""
        by_pair: dict[int, list[BatchExecution]] = {}
        requests = 0
        for execution in drain(self._noted):
            requests += len(execution.ids)
            self._runs += _run_counts(execution)
            self._costs.note(execution)
            by_pair.setdefault(id(execution.pair), []).append(execution)
        for executions in by_pair.values():
            expected = self._count_subgroups(executions)
            kept = np.zeros(1 + len(executions[0].pair.subgroups.scopes))
            if drawn := self._draw(executions):
                for chunk in chunks(drawn):
                    self._offer(chunk, kept)
            if expected is not None:
                self.served.add(executions[0].pair.name, expected, kept)
        if len(self._runs) >= MAX_UNCOUNTED_RUNS:
            self._count()
        return requests

    def settle(self) -> None:
        """Sample and count everything that is queued."""
        self.sample()
        self._count()

    def _count_subgroups(self, executions: Sequence[BatchExecution]) -> Floats | None:
        """Count the rows of each subgroup, sampled or not; membership is computed at once, and kept for samples.
        Returns the requests that should be kept in the mean, if that is known.
        """
        pair = executions[0].pair
        try:
            member = members([execution.batch for execution in executions])
        except Exception:  # the answers are sent, and samples may still be kept
            log.exception(SUBGROUPS_UNCOUNTED)
            return None
        counts = np.concatenate([[len(member)], member.sum(axis=0)])
        self._subgroup_rows.append((pair.name, pair.plan.scopes, counts))
        sizes = [size for execution in executions for size in execution.batch.sizes]
        comparable = [one for each in executions for one in pair.states.are_comparable(each)] if pair.states else None
        return expected_requests(pair, member, sizes, comparable)

    def _draw(self, executions: Sequence[BatchExecution]) -> Sequence[DrawnRequests]:
        """Draw the requests of one pair; where this fails, batch by batch, so that one does not affect the others."""
        try:
            return draw_requests(self._key, executions)
        except Exception:  # the answers are sent, and other batches wait
            if len(executions) > 1:
                return [drawn for execution in executions for drawn in self._draw([execution])]
            log.exception(SAMPLING_FAILED)
            self._outbox.add_drawn(executions[0].pair.name, len(executions[0].ids))  # some of them, and none is judged
            return ()

    def _offer(self, drawn: Sequence[DrawnRequests], total: Floats) -> None:
        """Offer requests as one batch of samples; where they cannot be concatenated (widths differ), one by one. Those
        that the draw keeps are added to ``total``.
        """
        try:
            samples = _sample_batch(self._key, drawn)
            if samples is not None:
                total += kept_requests(samples)
                if kept := self._outbox.offer(samples):
                    self._kept.append((samples.model, kept))
        except Exception:
            if len(drawn) == 1:
                log.exception(SAMPLING_FAILED)
                self._outbox.add_drawn(drawn[0].execution.pair.name, len(drawn[0].indices))
                return
            for requests in drawn:
                self._offer([requests], total)

    def _count(self) -> None:
        names = ("answered_requests", "rows", "refusals", "would_refuse", "escalations", "samples")
        counts = {name: Counter[tuple[str, ...]]() for name in names}
        runs_by_role: dict[tuple[str, Role], list[_RunCounts]] = {}
        for run in drain(self._runs):
            runs_by_role.setdefault((run.model, run.role), []).append(run)
        for (model, role), runs in runs_by_role.items():
            seconds_by_size: dict[tuple[int, int], list[float]] = {}
            for run in runs:
                seconds_by_size.setdefault((run.run_rows, run.elements), []).append(run.seconds)
                counts["answered_requests"][model, role] += run.requests
                counts["rows"][model, role] += run.rows
                if run.would_refuse:
                    counts["would_refuse"][model, role] += run.would_refuse
                    counts["refusals"][model, role, run.action] += run.refused
                if run.escalated:
                    counts["escalations"][model,] += run.escalated
            self._metrics.record_runs(model, role, [run.seconds for run in runs])
            if model in self._profiles:
                for (run_rows, elements), seconds in seconds_by_size.items():
                    self._profiles[model].observe(run_rows, *seconds, elements=elements)
        for model, samples in drain(self._kept):
            counts["samples"][model,] += samples
        self._metrics.record_counts({**counts, **self._costs.take()})
        self._count_subgroup_rows()

    def _count_subgroup_rows(self) -> None:
        sums: dict[tuple[str, tuple[str, ...]], Ints] = {}
        for model, scopes, rows in drain(self._subgroup_rows):
            sums[model, scopes] = sums.get((model, scopes), 0) + rows
        for (model, scopes), rows in sums.items():
            self._metrics.record_subgroup_rows(model, scopes, rows)


def _run_counts(execution: BatchExecution) -> list[_RunCounts]:
    """The runs of a batch. A row that several runs computed counts for the last one."""
    pair, counts, escalated = execution.pair, list[_RunCounts](), _escalated_rows(execution)
    for run_rows, run in execution.runs:
        flags, requests, rows = run.summary.refused, len(execution.ids), run_rows
        would_refuse = sum(flags) if True in flags else 0
        if len(execution.runs) > 1:
            own = [part for part in execution.slices.values() if part.run is run]
            flags = [flag for part in own for flag in flags[part.start : part.stop]]
            requests, rows = len(own), len(flags)
        refused = sum(flags) if True in flags else 0
        counted = run_rows, run.seconds, requests, rows, refused, would_refuse, 0 if counts else escalated
        counts.append(_RunCounts(pair.name, run.role, pair.action, *counted, count_elements(run.inputs)))
    return counts


def _escalated_rows(execution: BatchExecution) -> int:
    """The rows of the requests whose answer says that it was escalated."""
    if not execution.parameters:
        return 0
    sizes = execution.batch.sizes
    return sum(sizes[index] for index, added in execution.parameters.items() if "escalated" in added)


def _sample_batch(key: DrawKey, drawn: Sequence[DrawnRequests]) -> SampleBatch | None:
    """The samples of requests to one pair, without those whose own inclusion does not keep them; None if none is."""
    pair = drawn[0].execution.pair
    batch = RequestBatch.concatenate([requests.execution.batch.select(requests.indices) for requests in drawn])
    draws, inclusion = np.array(list(chain.from_iterable([one.draws for one in drawn]))), _inclusions(pair, batch)
    each = [requests for requests in drawn for _ in requests.indices]
    samples = SampleBatch(
        model=pair.name,
        baseline_digest=pair.plan.baseline_digest,
        compressed_digest=pair.plan.compressed_digest,
        scopes=pair.subgroups.scopes,
        request_id=tuple([requests.execution.ids[index] for requests in drawn for index in requests.indices]),
        rows=np.array(batch.sizes, np.int64),
        time=np.array([requests.execution.answered_at for requests in each], np.float64),
        served_by_baseline=np.array([requests.run.role is Role.BASELINE for requests in each]),
        draw=draws,
        inclusion=inclusion,
        seconds=np.array([requests.run.seconds for requests in each]),
        member=batch.member,
        caller=caller_digests(key, pair, batch.requests),
        host_class=np.array([pair.host_classes.get(requests.run.role, "") for requests in each], object),
        trace_id=np.array([request.trace_id for request in batch.requests], object),
        apart=np.full(len(each), pair.batchability.is_closed),
        inputs=batch.inputs,
        outputs=concatenate_tensors([carried_tensors(pair, requests) for requests in drawn]),
    )
    if not pair.sampler.floors:  # every request has the same inclusion, so all are kept
        return samples
    chosen = draws < inclusion
    return samples.take(chosen) if chosen.any() else None


def _inclusions(pair: ModelPair, batch: RequestBatch) -> Floats:
    if not pair.sampler.floors:
        return np.full(len(batch.ends), pair.sampler.rate)
    spans = [batch.member[batch.start(index) : end] for index, end in enumerate(batch.ends)]
    return np.array([inclusion_of(pair, span) for span in spans])
