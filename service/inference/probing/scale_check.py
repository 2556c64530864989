"""The configured scale of a pair's decision, checked against what its models gave for made-up rows."""

from collections.abc import Iterator, Mapping

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import Role
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.scales.learnt_scale import OutputRange, contradiction


def scale_mistakes(findings: Mapping[Role, Findings], output: str, scale: Scale) -> Iterator[str]:
    """Yield the sentence that refuses the scale of the output that decides; the baseline's, or the compressed model's.

    Where only the compressed model's rows do not sum to one, its probabilities may be rounded: those are judged in
    service.
    """
    for role in Role:
        finding = findings.get(role, {}).get(output)
        if finding is None:
            continue
        if role is Role.COMPRESSED and finding.scale and finding.scale.range is OutputRange.IN_UNIT_INTERVAL:
            continue
        name = repr(output) if role is Role.BASELINE else f"{output!r} of the compressed model"
        if text := contradiction(finding.scale, scale, name):
            yield text
            return
