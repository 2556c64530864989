"""The findings are ordered and decide the exit code."""

import pytest

from tightrope.wiring.doctor.finding import Finding, Severity, exit_code, worst_first


@pytest.mark.parametrize(
    ("severities", "code"),
    [
        ((), 0),
        ((Severity.FINE, Severity.NOTE), 0),
        ((Severity.NOTE, Severity.ACT), 3),
        ((Severity.ACT, Severity.BLIND, Severity.FINE), 4),
        ((Severity.BLIND, Severity.SILENT), 5),
    ],
)
def test_worst_finding_is_the_exit_code(severities: tuple[Severity, ...], code: int) -> None:
    """A note is no failure; a person must act, blind and no answer have the codes of `tightrope status`."""
    assert exit_code(Finding(severity, "m", "text") for severity in severities) == code


def test_worst_comes_first() -> None:
    """Findings of one weight keep the order of the examination."""
    given = [Finding(Severity.FINE, "a", ""), Finding(Severity.ACT, "b", ""), Finding(Severity.ACT, "c", "")]
    assert [finding.subject for finding in worst_first(given)] == ["b", "c", "a"]
    assert [severity.word for severity in Severity] == ["ok", "note", "act", "blind", "silent"]
