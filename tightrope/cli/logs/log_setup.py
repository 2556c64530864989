"""Sets up the log of a process: before its configuration is read, and by it."""

import logging
import sys
from typing import TYPE_CHECKING

from tightrope.cli.logs.json_lines import JsonLines
from tightrope.cli.logs.log_limit import FailureLimit, LogLimit

if TYPE_CHECKING:
    from tightrope.service.config.process.logs import LogsSection

TEXT_LINE = "%(asctime)s %(levelname)s %(message)s"
LIBRARY_LEVEL = "WARNING"
"""The lowest level of lines of libraries: theirs below it are no news for people."""


def set_up_command() -> None:
    """Log warnings as text: commands are run by people, also in pipes."""
    _install(_text_handler(), "WARNING")


def set_up_server(section: "LogsSection") -> None:
    """Log as a server's configuration says; by default in JSON where standard error is no terminal."""
    is_json = section.format == "json" or (section.format is None and not sys.stderr.isatty())
    _install(_json_handler() if is_json else _text_handler(), section.level.upper())


def _install(handler: logging.Handler, level: str) -> None:
    handler.addFilter(LogLimit())
    logging.basicConfig(level=LIBRARY_LEVEL, handlers=[handler], force=True)
    logging.getLogger("tightrope").setLevel(level)


def _json_handler() -> logging.Handler:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    handler.addFilter(FailureLimit())
    return handler


def _text_handler() -> logging.Handler:
    if sys.stderr.isatty():
        from tightrope.cli import console

        handler, line = console.log_handler(), "%(message)s"
    else:
        handler, line = logging.StreamHandler(), TEXT_LINE
    handler.setFormatter(logging.Formatter(line))
    return handler
