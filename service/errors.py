"""Errors, classified by cause: the caller or the server. The transports map them to status codes."""

import reprlib

_MAX_QUOTED_CHARACTERS = 60
"""Characters of a caller's value that an error repeats: enough to recognise it, too few to leak data or flood a log."""

_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxlist, _brief.maxdict = 2, 4, 2
_brief.maxstring = _brief.maxother = _brief.maxlong = 40


class TightropeError(Exception):
    """Base class of the project's own errors."""


class CallerError(TightropeError):
    """The request is invalid; it fails again until the caller changes it."""


class UnknownModelError(CallerError):
    """The request names a model or a version that is not served here."""


class ConflictError(CallerError):
    """The request is valid, but not in the state that the model is in."""


class TooLargeError(CallerError):
    """The request exceeds the size limit of this gateway."""


class LimitError(CallerError):
    """A request or a connection exceeds a limit of HTTP; ``status`` is that of the answer, ``reason`` the limit's key,
    under which the connection is counted.
    """

    def __init__(self, text: str, status: int = 400, reason: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class UnsupportedEncodingError(CallerError):
    """The content encoding of the body is not supported."""


class ServerError(TightropeError):
    """The server cannot answer a valid request."""


class UnavailableError(ServerError):
    """No model is available; a retry may succeed."""


class OverloadedError(UnavailableError):
    """Too many requests are waiting; retry after ``seconds``."""

    def __init__(self, text: str, seconds: float = 1.0) -> None:
        super().__init__(text)
        self.seconds = seconds


def quote(value: object) -> str:
    """Format a value for an error message: escaped, on one line, at most 60 characters, in bounded time."""
    text = _brief.repr(value)
    return text if len(text) <= _MAX_QUOTED_CHARACTERS else f"{text[: _MAX_QUOTED_CHARACTERS - 3]}..."
