"""A finding of the doctor: a sentence, how bad it is, and the remedy."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """The weight of a finding. From ACT on it is the exit code, as of `tightrope status`: a person must act, a model is
    not guarded by evidence, Kafka does not answer.
    """

    FINE = 0
    NOTE = 1
    ACT = 3
    BLIND = 4
    SILENT = 5

    @property
    def word(self) -> str:
        """One word for people."""
        return {0: "ok", 1: "note", 3: "act", 4: "blind", 5: "silent"}[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about one subject (a topic, a model, a group, a member), and the remedy; it may be empty.

    >>> Finding(Severity.ACT, "m", "two judges judge it", "stop one").severity.word
    'act'
    """

    severity: Severity
    subject: str
    text: str
    remedy: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """The findings by weight; those of one weight keep their order."""
    return sorted(findings, key=lambda finding: -finding.severity)


def exit_code(findings: Iterable[Finding]) -> int:
    """The exit code by the worst finding."""
    worst = max((finding.severity for finding in findings), default=Severity.FINE)
    return int(worst) if worst >= Severity.ACT else 0
