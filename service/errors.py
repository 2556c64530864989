"""Errors, named by whose fault they are. Which HTTP status each becomes is the HTTP edge's business."""

import reprlib

_QUOTED_LENGTH = 60
"""Most characters of a caller's value an error repeats: enough to recognise it, too little to leak or flood a log."""

_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxlist, _brief.maxdict = 2, 4, 2
_brief.maxstring = _brief.maxother = _brief.maxlong = 40


class TightropeError(Exception):
    """Base of every error this project raises on purpose."""


class CallerError(TightropeError):
    """The request is wrong: the same request will fail again until the caller changes it."""


class UnknownModelError(CallerError):
    """The request names a model or a version that is not served here."""


class TooLargeError(CallerError):
    """The request is larger than this gateway accepts."""


class UnsupportedEncodingError(CallerError):
    """The body comes in a content encoding that is not understood here."""


class ServerError(TightropeError):
    """We could not answer a good request."""


class UnavailableError(ServerError):
    """Nobody could answer just now: the same request may succeed in a moment."""


class OverloadedError(UnavailableError):
    """More requests wait than can be answered soon; ``seconds`` is when to ask again."""

    def __init__(self, text: str, seconds: float = 1.0) -> None:
        super().__init__(text)
        self.seconds = seconds


def quote(value: object) -> str:
    """The value for use in an error: escaped, on one line, at most 60 characters, in bounded time."""
    text = _brief.repr(value)
    return text if len(text) <= _QUOTED_LENGTH else f"{text[: _QUOTED_LENGTH - 3]}..."
