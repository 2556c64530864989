"""Encode samples into records, and split batches into single samples: for tests."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from tightrope.monitors.intake.sample_batch import SampleBatch, batch_key
from tightrope.monitors.records import Role, Sample
from tightrope.service.adapters.wire import record_codec


def records(samples: Sequence[Sample]) -> list[bytes]:
    """Encode one record for the samples of each layout, as the outbox does."""
    alike: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        alike.setdefault(batch_key(sample), []).append(sample)
    return [record_codec.encode_samples(SampleBatch.from_samples(some)) for some in alike.values()]


def split_samples(samples: SampleBatch) -> Iterator[Sample]:
    """Split a batch into single samples."""
    ends = list(accumulate(samples.rows.tolist(), initial=0))
    for index, (begin, end) in enumerate(pairwise(ends)):
        yield Sample(
            model=samples.model,
            request_id=samples.request_id[index],
            time=float(samples.time[index]),
            served_by=Role.BASELINE if samples.served_by_baseline[index] else Role.COMPRESSED,
            baseline_digest=samples.baseline_digest,
            compressed_digest=samples.compressed_digest,
            inputs={name: tensor[begin:end] for name, tensor in samples.inputs.items()},
            outputs={name: tensor[begin:end] for name, tensor in samples.outputs.items()},
            scopes=samples.scopes,
            member=samples.member[begin:end],
            draw=float(samples.draw[index]),
            inclusion=float(samples.inclusion[index]),
            seconds=float(samples.seconds[index]),
            caller=int(samples.caller[index]),
            host_class=samples.host_class[index],
            trace_id=samples.trace_id[index],
            apart=bool(samples.apart[index]),
        )
