"""The section of the log."""

from typing import Literal

from tightrope.service.config.section import Section


class LogsSection(Section):
    """The log of a serving process, on standard error; see docs/operations.md."""

    format: Literal["json", "text"] | None = None
    """json: a JSON object a line. text: a line to read. Text on a terminal and json elsewhere if left out."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written. A change of who answers is a warning; orders, deployments and returns are
    info. Other libraries' lines below warning are never written.
    """
