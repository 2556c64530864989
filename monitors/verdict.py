"""Verdicts: the outcome of one monitor in one scope, with the interval of what it watches and the outlook."""

from dataclasses import dataclass

from tightrope.monitors.records import Outcome

NOT_WORSE = "differs, not worse"
"""The words for a difference that is no harm, as labels show."""

PASS_MARGIN = 2.0
"""Log10 of the factor of an alarm's evidence within which a monitor does not pass: a hundred."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A rate or a mean over the last ``rows`` own rows, with the ends of its 95 % interval.

    >>> Interval(mean=0.24, lower=0.15, upper=0.35, rows=200).lower
    0.15
    """

    mean: float
    lower: float
    upper: float
    rows: int


@dataclass(frozen=True, slots=True)
class Onset:
    """The beginning of a breach: about ``unit`` number ``number``, with 95 % between ``earliest`` and ``latest``.

    ``unit`` is "request" where every request is compared and has one row, else "compared row"; ``time`` is the event
    time (s) of the estimate.

    >>> Onset(number=420, earliest=260, latest=520, unit="request", time=0.0).number
    420
    """

    number: int
    earliest: int
    latest: int
    unit: str
    time: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """Own rows, and seconds of the present traffic, until a return is proved if the rate stays; infinite if never.

    ``rows_at_upper`` and ``seconds_at_upper`` are those at the upper end of the interval. ``never`` is set where even
    the lower end leaves no return.

    >>> Outlook(1400.0, float("inf"), 7200.0, float("inf"), never=False).rows
    1400.0
    """

    rows: float
    rows_at_upper: float
    seconds: float
    seconds_at_upper: float
    never: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one monitor in one scope, with its evidence so far.

    ``count`` is the number of rows observed since the detector last started, ``needed`` the fewest that a pass takes,
    ``mean`` their mean and ``recent`` that of the latest ticks. ``evidence`` and ``threshold`` are log10 of the
    e-detector and of the samples that one false alarm is budgeted for; ``recovery`` and ``recovery_threshold`` likewise
    for the return, once the monitor has tripped its scope. ``errors`` counts the scope's rows that could not be
    compared. A monitor with several variants (classes, bins) reports the one with the most evidence. ``note`` explains
    why the result is not reliable, if so. ``coverage`` is set for label monitors: the labelled share of the rows that
    have their label or can no longer get one. ``refused_baseline`` and ``refused_compressed`` are set for monitors of
    refusals: the share of the scope's compared rows that either model refuses. ``now`` is the interval that holds now;
    ``more`` the own rows to a pass if the value stays (infinite: too near its limit, None: no pass is to come);
    ``since`` and ``outlook`` are set once the monitor has tripped its scope; ``text`` says all of it in words;
    ``not_worse`` marks a difference that would be a breach, but labels show that it is no harm.

    >>> Verdict("model", "disagreement", Outcome.PASS, count=900, needed=373.0, mean=0.01, recent=0.01, limit=0.02,
    ...         evidence=0.3, threshold=8.5, recovery=None, recovery_threshold=5.0, errors=0).outcome
    <Outcome.PASS: 'pass'>
    """

    scope: str
    monitor: str
    outcome: Outcome
    count: int
    needed: float
    mean: float | None
    recent: float | None
    limit: float
    evidence: float
    threshold: float
    recovery: float | None
    recovery_threshold: float
    errors: int
    variant: str = ""
    note: str = ""
    coverage: float | None = None
    refused_baseline: float | None = None
    refused_compressed: float | None = None
    now: Interval | None = None
    more: float | None = None
    since: Onset | None = None
    outlook: Outlook | None = None
    text: str = ""
    not_worse: bool = False


def decide_outcome(*, breached: bool, faulty: bool, beyond: bool, earned: bool) -> Outcome:
    """Decide the outcome: a breach outweighs an error, an error outweighs intervals, and a pass has to be earned."""
    if breached:
        return Outcome.BREACH
    if faulty:
        return Outcome.ERROR
    if beyond:
        return Outcome.WATCH
    return Outcome.PASS if earned else Outcome.INSUFFICIENT
