"""Words of people for scopes, shares, durations and the findings of monitors."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from tightrope.monitors.records import MODEL_SCOPE
from tightrope.monitors.verdict import Interval, Onset, Verdict

EVERYBODY = "everybody"

MONITOR_TITLES = {
    "disagreement": "Different answers",
    "clear_disagreement": "Different answers in clear cases",
    "confidence": "How sure it is",
    "confidence_shape": "How sure it is, by level",
    "confidence_jump": "Much more or less sure",
    "bias": "Higher or lower values",
    "mix": "How often it says what",
    "class_miss": "What it misses",
    "class_gain": "What it says wrongly",
    "refusal_rate": "Unsure more or less often",
    "refusal_persistence": "Answers where the full model is unsure",
    "accuracy": "Wrong more often",
    "excess_risk": "Who is right when they differ",
    "brier": "How well its sureness foretells",
    "calibration": "Is its sureness true",
    "latency": "How long answers take",
    "sight": "Is it seen",
}
"""Titles of the monitors, as people say it."""

_FINDINGS = {
    "disagreement": "{rate} of answers differ",
    "clear_disagreement": "{rate} of answers differ where the full model is sure",
    "confidence": "the small model is {surer} by {rate}",
    "confidence_shape": "the small model's sureness moved for {rate} of answers",
    "confidence_jump": "the small model is much {jump} for {rate} of answers",
    "bias": "the small model's values are {higher} by {rate}",
    "mix": "the small model says “{variant}” {more} often, by {rate} of answers",
    "class_miss": "the small model misses {rate} of what the full one calls “{variant}”",
    "class_gain": "{rate} of what the small model calls “{variant}” the full one does not",
    "refusal_rate": "the small model is unsure {more} often, by {rate} of answers",
    "refusal_persistence": "the small model answers {rate} of what the full one would leave open",
    "accuracy": "the small model is wrong {more} often, by {rate} of answers",
    "excess_risk": "where they differ the full model is right {more} often, by {rate}",
    "brier": "the small model's sureness foretells {worse}, by {rate}",
    "calibration": "the small model's sureness is {rate} off the truth",
    "latency": "{rate} of answers take too long",
}
"""The finding of each monitor, as a clause."""

_LABELS = {
    "disagreement": "answered differently",
    "clear_disagreement": "of clear cases differ",
    "confidence": "{surer}",
    "confidence_shape": "moved across a level of sureness",
    "confidence_jump": "much {jump}",
    "bias": "{higher}",
    "mix": "{more} often “{variant}”",
    "class_miss": "of “{variant}” missed",
    "class_gain": "of “{variant}” not so",
    "refusal_rate": "{more} often unsure",
    "refusal_persistence": "of the unsure answered",
    "accuracy": "{more} often wrong",
    "excess_risk": "more often right: the full model",
    "brier": "{worse} foretold",
    "calibration": "off the truth",
    "latency": "too slow",
}
"""A short label for the rate of each monitor, beside its figure."""

MAX_WORDED_LIMITS = 1024
"""Limits whose words are remembered: the checks of all scopes have a few of them."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_SMALLEST, _COARSE = 0.1, 9.95


def percent(share: float) -> str:
    """A share in per cent, without its sign.

    >>> percent(0.5758), percent(0.0063), percent(0.0004), percent(0)
    ('58 %', '0.6 %', 'under 0.1 %', '0 %')
    """
    number = 100 * abs(share)
    if number == 0:
        return "0 %"
    if number < _SMALLEST:
        return "under 0.1 %"
    return f"{number:.1f} %" if number < _COARSE else f"{number:.0f} %"


@lru_cache(maxsize=MAX_WORDED_LIMITS)
def short_percent(share: float) -> str:
    """A share in per cent without the decimal that says nothing.

    >>> short_percent(0.1), short_percent(0.075)
    ('10 %', '7.5 %')
    """
    return percent(share).replace(".0 %", " %")


def duration(seconds: float) -> str:
    """A duration in its largest unit.

    >>> duration(40), duration(150), duration(7200), duration(200_000)
    ('40 seconds', '2 minutes', '2 hours', '2 days')
    """
    for size, unit, least in ((_DAY, "day", 2 * _DAY), (_HOUR, "hour", 1.5 * _HOUR), (_MINUTE, "minute", 90.0)):
        if seconds >= least:
            return _counted(int(seconds // size), unit)
    return _counted(round(seconds), "second")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def scope_parts(scope: str) -> tuple[str, str]:
    """The name of a scope, and the attribute that it is a value of (empty for the whole model).

    >>> scope_parts("residence=group_quarters")
    ('group quarters', 'residence')
    """
    if scope == MODEL_SCOPE:
        return capitalized(EVERYBODY), ""
    attribute, _, value = scope.partition("=")
    return (value or attribute).replace("_", " "), attribute.replace("_", " ") if value else ""


def scope_title(scope: str) -> str:
    """A scope in one phrase.

    >>> scope_title("residence=group_quarters")
    'group quarters (residence)'
    """
    name, attribute = scope_parts(scope)
    return f"{name} ({attribute})" if attribute else name


def capitalized(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def as_sentence(text: str) -> str:
    """The text with a full stop, unless it ends a sentence already.

    >>> as_sentence("Ben gave it back: incident 7"), as_sentence("Why?")
    ('Ben gave it back: incident 7.', 'Why?')
    """
    return text if text.endswith((".", "!", "?")) else f"{text}."


def joined(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence, at most ``most`` of them.

    >>> joined(["a", "b"]), joined(["a", "b", "c", "d"])
    ('a and b', 'a, b, c and 1 more')
    """
    shown = list(names[:most]) + ([f"{len(names) - most} more"] if len(names) > most else [])
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def class_phrase(classes: Sequence[str]) -> str:
    """The answers of the small model that say one of these classes, in a sentence.

    >>> class_phrase(["3"]), class_phrase(["3", "5"])
    ('where the small one says “3”', 'where the small one says “3” or “5”')
    """
    return f"where the small one says {' or '.join(joined([f'“{each}”' for each in classes]).rsplit(' and ', 1))}"


def clock_time(seconds: float) -> str:
    """A time of the day, UTC, with the date.

    >>> clock_time(0.0)
    '1970-01-01 00:00 UTC'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


@lru_cache(maxsize=MAX_WORDED_LIMITS)
def _direction(monitor: str, variant: str, above: bool) -> Mapping[str, str]:  # noqa: FBT001 - of a cached function
    """The words that depend on the sign of a value, or on the variant."""
    return {
        "surer": "surer" if above else "less sure",
        "higher": "higher" if above else "lower",
        "more": "more" if above else "less",
        "worse": "worse" if above else "better",
        "jump": "surer" if variant == "up" else "less sure",
        "variant": variant or ("a class" if monitor.startswith(("mix", "class")) else ""),
    }


def oriented(now: Interval) -> tuple[float, float, float]:
    """The size of a value and the ends of its interval on the value's side of zero.

    >>> oriented(Interval(mean=-0.2, lower=-0.3, upper=0.1, rows=9))
    (0.2, 0.0, 0.3)
    """
    lower, upper = (now.lower, now.upper) if now.mean >= 0 else (-now.upper, -now.lower)
    return abs(now.mean), max(lower, 0.0), max(upper, 0.0)


def spread(now: Interval) -> str:
    """The ends of an interval.

    >>> spread(Interval(mean=0.59, lower=0.37, upper=0.787, rows=73))
    '37 to 79 %'
    """
    _, lower, upper = oriented(now)
    return f"{percent(lower).removesuffix(' %')} to {percent(upper)}"


def observation(monitor: str, variant: str, now: Interval) -> str:
    """The rate of a monitor in words, with its range.

    >>> observation("disagreement", "", Interval(mean=0.59, lower=0.37, upper=0.787, rows=73))
    '59 % (37 to 79 %) of answers differ'
    """
    clause = _FINDINGS.get(monitor, f"{monitor.replace('_', ' ')} {{rate}}")
    return clause.format(rate=f"{percent(now.mean)} ({spread(now)})", **_direction(monitor, variant, now.mean > 0))


def finding(monitor: str, variant: str, now: Interval | None, limit: float) -> str:
    """The finding of a monitor in words, with the range of the rate and the limit.

    >>> finding("disagreement", "", Interval(mean=0.59, lower=0.37, upper=0.787, rows=73), 0.1)
    '59 % (37 to 79 %) of answers differ, 10 % tolerated'
    """
    if now is None:
        return "nothing compared yet"
    return f"{observation(monitor, variant, now)}, {short_percent(limit)} tolerated"


def rate_label(verdict: Verdict) -> str:
    """A label for the rate of a verdict.

    >>> from tightrope.monitors.records import Outcome
    >>> rate_label(Verdict("model", "confidence", Outcome.PASS, 9, 1.0, -0.1, -0.1, 0.1, 0.0, 8.5, None, 5.0, 0))
    'less sure'
    """
    mean = verdict.now.mean if verdict.now else verdict.mean or 0.0
    words = _direction(verdict.monitor, verdict.variant, mean > 0)
    return _LABELS.get(verdict.monitor, verdict.monitor.replace("_", " ")).format(**words)


def since_words(onset: Onset | None) -> str:
    """The beginning of harm in words; empty where it is not known.

    >>> since_words(Onset(number=420, earliest=260, latest=520, unit="request", time=0.0))
    'since about request 420 (260 to 520)'
    """
    if onset is None:
        return ""
    return f"since about {onset.unit} {onset.number:,} ({onset.earliest:,} to {onset.latest:,})"
