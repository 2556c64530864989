"""Text of a statement in messages: on one line, printable, bounded."""

MAX_QUOTED = 200
"""Characters of a statement's text that a message repeats."""

VOWELS = "aeiou"
LEAST_DECIMALS = 2


def one_line(text: str) -> str:
    """The text on one line: what is not printable is escaped, and the rest beyond 200 characters is cut."""
    shown = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}.."
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in shown)


def quoted(text: str) -> str:
    """The text on one line, in quotation marks."""
    return '"' + one_line(text).replace('"', "'") + '"'


def with_article(noun: str) -> str:
    """The noun with its indefinite article."""
    return f"{'an' if noun[:1].lower() in VOWELS else 'a'} {noun}"


def short_share(value: float) -> str:
    """A number as messages show it: three significant digits, two decimals at least, no zero before the point."""
    text = f"{value:.3g}"
    if "e" not in text and len(text.partition(".")[2]) < LEAST_DECIMALS:
        text = f"{value:.{LEAST_DECIMALS}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
