"""Deferred sampling and metrics, batched off the request path.

How it works: `note` queues an answered batch. `sample`, called some times a second, draws all queued requests, joins
those of one pair that are likely to be kept, and offers them to the outbox as one `SampleBatch`; runs and rows are
counted in bulk, because a sample or an observation by itself costs as much as a small model's run.
"""

import logging
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tightrope.monitors.records import Floats, Role
from tightrope.monitors.sample_batch import SampleBatch, concatenate_tensors
from tightrope.monitors.sampling import draw
from tightrope.service.adapters.metrics_ports import GatewayMetrics
from tightrope.service.adapters.prometheus.metrics import drain
from tightrope.service.inference.autotune import RunProfile
from tightrope.service.inference.batch import BatchExecution, ModelRun, RequestBatch, row_indices
from tightrope.service.inference.decisions import inclusion_of
from tightrope.service.inference.model_pair import ModelPair
from tightrope.service.outbox import Outbox

log = logging.getLogger(__name__)

MAX_UNCOUNTED_RUNS = 256
"""Runs after which they are counted even if no scrape asks for it: the run profiles are updated by it."""

MAX_JOINED_SAMPLES, MAX_JOINED_BYTES = 256, 1 << 20
"""Samples, and bytes of their batches' inputs, that are joined from several batches."""

SAMPLING_FAILED = "answered requests could not be sampled"


class _RunCounts(Struct):
    """The counts of a run: its rows and seconds, the rows whose answer it gave, and those of them refused."""

    model: str
    role: Role
    action: str
    run_rows: int
    seconds: float
    rows: int
    refused: int


class _DrawnRequests(Struct):
    """Requests of a batch whose draw may keep them, all answered by one run: their indices and draws."""

    execution: BatchExecution
    run: ModelRun
    indices: Sequence[int]
    draws: Sequence[float]


class AnswerRecorder:
    """Offers samples to the outbox, counts in the metrics, and updates the run profiles. A scrape of the metrics has
    everything counted first.
    """

    def __init__(self, outbox: Outbox, metrics: GatewayMetrics, profiles: Mapping[str, RunProfile]) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._profiles = profiles
        self._noted: deque[BatchExecution] = deque()
        self._runs: deque[_RunCounts] = deque()
        self._kept: deque[tuple[str, int]] = deque()
        metrics.before_scrape(self.settle)

    def note(self, execution: BatchExecution) -> None:
        """Queue an answered batch."""
        self._noted.append(execution)

    def sample(self) -> int:
        """Sample all queued requests, those of one pair together; returns their number."""
        drawn_by_pair: dict[int, list[_DrawnRequests]] = {}
        requests = 0
        for execution in drain(self._noted):
            requests += len(execution.ids)
            self._runs += _run_counts(execution)
            try:
                drawn = _draw(execution)
            except Exception:  # the answers are sent, and other batches wait
                log.exception(SAMPLING_FAILED)
                continue
            if drawn:
                drawn_by_pair.setdefault(id(execution.pair), []).extend(drawn)
        for drawn in drawn_by_pair.values():
            for chunk in _chunks(drawn):
                self._offer(chunk)
        if len(self._runs) >= MAX_UNCOUNTED_RUNS:
            self._count()
        return requests

    def settle(self) -> None:
        """Sample and count everything that is queued."""
        self.sample()
        self._count()

    def _offer(self, drawn: Sequence[_DrawnRequests]) -> None:
        """Offer requests as one batch of samples; where they cannot be concatenated (widths differ), one by one."""
        try:
            samples = _sample_batch(drawn)
            if samples is not None and (kept := self._outbox.offer(samples)):
                self._kept.append((samples.model, kept))
        except Exception:
            if len(drawn) == 1:
                log.exception(SAMPLING_FAILED)
                return
            for requests in drawn:
                self._offer([requests])

    def _count(self) -> None:
        rows, refused, kept = Counter[tuple[str, str]](), Counter[tuple[str, str, str]](), Counter[str]()
        runs_by_role: dict[tuple[str, Role], list[_RunCounts]] = {}
        for run in drain(self._runs):
            runs_by_role.setdefault((run.model, run.role), []).append(run)
        for (model, role), runs in runs_by_role.items():
            seconds_by_rows: dict[int, list[float]] = {}
            for run in runs:
                seconds_by_rows.setdefault(run.run_rows, []).append(run.seconds)
                rows[model, role] += run.rows
                if run.refused:
                    refused[model, role, run.action] += run.refused
            self._metrics.record_runs(model, role, [run.seconds for run in runs])
            if model in self._profiles:
                for run_rows, seconds in seconds_by_rows.items():
                    self._profiles[model].observe(run_rows, *seconds)
        for model, samples in drain(self._kept):
            kept[model] += samples
        self._metrics.record_rows(rows, refused, kept)


def _run_counts(execution: BatchExecution) -> list[_RunCounts]:
    """The runs of a batch. A row that several runs computed counts for the last one."""
    pair, counts = execution.pair, []
    for run_rows, run in execution.runs:
        flags, rows = run.summary.refused, run_rows
        if len(execution.runs) > 1:
            own = [part for part in execution.slices.values() if part.run is run]
            flags = [flag for part in own for flag in flags[part.start : part.stop]]
            rows = len(flags)
        refused = sum(flags) if True in flags else 0
        counts.append(_RunCounts(pair.name, run.role, pair.action, run_rows, run.seconds, rows, refused))
    return counts


def _draw(execution: BatchExecution) -> Sequence[_DrawnRequests]:
    """The requests of a batch that some subgroup's inclusion would keep, by the run that answered them."""
    ids, limit, salt = execution.ids, execution.pair.sampler.max_inclusion, execution.pair.sampler.salt
    if len(ids) == 1:
        number = draw(ids[0], salt)
        return [_DrawnRequests(execution, execution.slices[0].run, (0,), (number,))] if number < limit else ()
    draws = [draw(request_id, salt) for request_id in ids]
    kept, drawn = [index for index, number in enumerate(draws) if number < limit], []
    for _, run in execution.runs:
        own = [i for i in kept if execution.slices[i].run is run] if len(execution.runs) > 1 else kept
        if own:
            drawn.append(_DrawnRequests(execution, run, own, [draws[index] for index in own]))
    return drawn


def _chunks(drawn: Sequence[_DrawnRequests]) -> Iterator[Sequence[_DrawnRequests]]:
    """Split requests into chunks that fit one record."""
    chunk: list[_DrawnRequests] = []
    samples = size = 0
    for requests in drawn:
        nbytes = requests.execution.batch.nbytes
        if chunk and (samples + len(requests.indices) > MAX_JOINED_SAMPLES or size + nbytes > MAX_JOINED_BYTES):
            yield chunk
            chunk, samples, size = [], 0, 0
        chunk.append(requests)
        samples += len(requests.indices)
        size += nbytes
    yield chunk


def _sample_batch(drawn: Sequence[_DrawnRequests]) -> SampleBatch | None:
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
        inputs=batch.inputs,
        outputs=concatenate_tensors([{pair.output: _decision_rows(requests)} for requests in drawn]),
    )
    if not pair.sampler.floors:  # every request has the same inclusion, so all are kept
        return samples
    chosen = draws < inclusion
    return samples.take(chosen) if chosen.any() else None


def _decision_rows(drawn: _DrawnRequests) -> NDArray[Any]:
    """The rows of the decision output that belong to these requests."""
    output, slices = drawn.run.outputs[drawn.execution.pair.output], drawn.execution.slices
    if len(drawn.indices) == len(slices) and len(drawn.execution.runs) == 1:
        return output
    return output[row_indices([(slices[index].start, slices[index].stop) for index in drawn.indices])]


def _inclusions(pair: ModelPair, batch: RequestBatch) -> Floats:
    if not pair.sampler.floors:
        return np.full(len(batch.ends), pair.sampler.rate)
    spans = [batch.member[batch.start(index) : end] for index, end in enumerate(batch.ends)]
    return np.array([inclusion_of(pair, span) for span in spans])
