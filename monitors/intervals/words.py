"""Verdicts in words for people: what is so now, since when, and what comes next."""

from math import isfinite

from tightrope.monitors.records import Outcome
from tightrope.monitors.verdict import NOT_WORSE, PASS_MARGIN, Interval, Onset, Outlook, Verdict

HOUR, DAY = 3600.0, 86_400.0
_CLOSE = 10.0


def describe(verdict: Verdict, *, rate: bool) -> str:
    """A verdict in one line.

    >>> now = Interval(mean=0.24, lower=0.15, upper=0.35, rows=200)
    >>> describe(Verdict("model", "disagreement", Outcome.WATCH, count=200, needed=1.0, mean=0.2, recent=0.2, limit=0.1,
    ...         evidence=4.0, threshold=8.0, recovery=None, recovery_threshold=5.0, errors=0, now=now), rate=True)
    'disagreement 24 in 100 (15 to 35, last 200 rows), limit 10; evidence 50 % of what an alarm needs'
    """
    text = finding(verdict.monitor, verdict.variant, verdict.now, verdict.limit, rate=rate)
    if verdict.since is not None:
        text += f", {since(verdict.since)}"
    ahead = NOT_WORSE if verdict.not_worse else _ahead(verdict)
    return "; ".join(part for part in (text, ahead, verdict.note) if part)


def finding(monitor: str, variant: str, now: Interval | None, limit: float, *, rate: bool) -> str:
    """A monitor's finding: its value, the interval, the rows, and the limit.

    >>> finding("confidence", "", Interval(0.031, 0.021, 0.044, 640), 0.02, rate=False)
    'confidence 0.031 (0.021 to 0.044, last 640 rows), limit 0.02'
    """
    name = f"{monitor} ({variant})" if variant else monitor
    shown = _in_hundred if rate else _plain
    if now is None:
        return f"{name} without rows, limit {shown(limit)}{' in 100' if rate else ''}"
    unit = " in 100" if rate else ""
    ends = f"{shown(now.lower)} to {shown(now.upper)}"
    return f"{name} {shown(now.mean)}{unit} ({ends}, last {now.rows:,} rows), limit {shown(limit)}"


def since(onset: Onset) -> str:
    """The beginning of a breach.

    >>> since(Onset(420, 260, 520, "request", 0.0))
    'since about request 420 (260 to 520)'
    """
    return f"since about {onset.unit} {onset.number:,} ({onset.earliest:,} to {onset.latest:,})"


def evidence_share(evidence: float | None, threshold: float) -> str:
    """Evidence as a share of what an alarm needs, both as logarithms of one base.

    >>> evidence_share(8.7, 8.5), evidence_share(None, 8.5)
    ('evidence 102 % of what an alarm needs', 'evidence 0 % of what an alarm needs')
    """
    share = max(evidence or 0.0, 0.0) / threshold
    return f"evidence {100 * share:.0f} % of what an alarm needs"


def _ahead(verdict: Verdict) -> str:
    """The next step: a return, a pass, or an alarm."""
    if verdict.outcome is Outcome.BREACH:
        return "" if verdict.outlook is None else _return(verdict.outlook)
    if verdict.outcome is Outcome.WATCH:
        return evidence_share(verdict.evidence, verdict.threshold)
    if verdict.outcome is not Outcome.INSUFFICIENT:
        return ""
    if verdict.more is None:  # there are rows enough, but an alarm is near; or nothing is seen
        near = verdict.evidence >= verdict.threshold - PASS_MARGIN
        return evidence_share(verdict.evidence, verdict.threshold) if near else ""
    return f"about {verdict.more:,.0f} more rows to a pass" if isfinite(verdict.more) else "too near its limit to pass"


def _return(outlook: Outlook) -> str:
    if outlook.never:
        return "will not return at this rate"
    if not isfinite(outlook.rows):
        return "no return at this rate"
    later = "perhaps never"
    if isfinite(outlook.rows_at_upper):
        later = f"at most about {_duration(outlook.seconds_at_upper) or f'{outlook.rows_at_upper:,.0f} rows'}"
    took = ", ".join(part for part in (_duration(outlook.seconds), later) if part)
    return f"returns after about {outlook.rows:,.0f} more rows ({took})"


def _duration(seconds: float) -> str:
    """A duration in its largest unit; empty where it is not known."""
    if not isfinite(seconds):
        return ""
    for unit, size in (("d", DAY), ("h", HOUR), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _in_hundred(rate: float) -> str:
    """A rate as a number in 100: one decimal below ten, two digits below one."""
    number = 100 * rate
    if number >= _CLOSE or number == 0:
        return f"{number:.0f}"
    return f"{number:.1f}".removesuffix(".0") if number >= 1 else f"{number:.2g}"


def _plain(value: float) -> str:
    return f"{value:.2g}"
