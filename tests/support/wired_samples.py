"""Samples as they travel, and one by one again: for tests that make and look at single ones."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from tightrope.monitors.records import Role, Sample
from tightrope.monitors.sample_batch import Samples, kind_of
from tightrope.service.adapters.wire import record_codec


def records(samples: Sequence[Sample]) -> list[bytes]:
    """One record for the samples of each kind, as the outbox has it."""
    alike: dict[tuple[object, ...], list[Sample]] = {}
    for sample in samples:
        alike.setdefault(kind_of(sample), []).append(sample)
    return [record_codec.encode_samples(Samples.of(some)) for some in alike.values()]


def apart(samples: Samples) -> Iterator[Sample]:
    """Each on its own."""
    ends = list(accumulate(samples.rows.tolist(), initial=0))
    for place, (begin, end) in enumerate(pairwise(ends)):
        yield Sample(
            model=samples.model,
            request_id=samples.request_id[place],
            time=float(samples.time[place]),
            served_by=Role.BASELINE if samples.served_by_baseline[place] else Role.COMPRESSED,
            baseline_digest=samples.baseline_digest,
            compressed_digest=samples.compressed_digest,
            inputs={name: tensor[begin:end] for name, tensor in samples.inputs.items()},
            outputs={name: tensor[begin:end] for name, tensor in samples.outputs.items()},
            scopes=samples.scopes,
            member=samples.member[begin:end],
            draw=float(samples.draw[place]),
            inclusion=float(samples.inclusion[place]),
            seconds=float(samples.seconds[place]),
        )
