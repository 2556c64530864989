"""The configured scale of a pair's decision, checked against what its models gave for made-up rows."""

from collections.abc import Callable, Iterator, Mapping

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import Role
from tightrope.service.inference.batchability import Findings
from tightrope.service.inference.scales.learnt_scale import LearntScale, OutputRange, contradiction


def scale_mistakes(
    findings: Mapping[Role, Findings], output: str, scales: Mapping[Role, Scale], kind: str | None = None
) -> Iterator[str]:
    """Yield the sentence that refuses the scale of the output that decides; the baseline's, or the compressed model's.
    Where both scales are known and differ, it names one for each role.

    Where only the compressed model's rows do not sum to one, its probabilities may be rounded: those are judged in
    service.
    """
    found = {role: finding.scale for role in Role if (finding := findings.get(role, {}).get(output))}
    names = {Role.BASELINE: repr(output), Role.COMPRESSED: f"{output!r} of the compressed model"}
    right: dict[Role, Scale] = {}

    def refusal(role: Role, advice: Callable[[Scale], str]) -> str:
        learnt = found.get(role)
        if learnt is None or _may_be_rounded(role, learnt):
            return ""
        return contradiction(learnt, scales[role], names[role], kind, advice)

    def note(role: Role) -> Callable[[Scale], str]:
        return lambda scale: str(right.setdefault(role, scale))

    refused = [role for role in Role if refusal(role, note(role))]

    def advice(scale: Scale) -> str:
        fits = {role: right.get(role, scales[role]) for role in Role if found.get(role)}
        if set(fits.values()) == {scale}:
            return str(scale)
        return f"{{baseline: {fits[Role.BASELINE]}, compressed: {fits[Role.COMPRESSED]}}}"

    if refused:
        yield refusal(refused[0], advice)


def _may_be_rounded(role: Role, scale: LearntScale) -> bool:
    return role is Role.COMPRESSED and scale.range is OutputRange.IN_UNIT_INTERVAL
