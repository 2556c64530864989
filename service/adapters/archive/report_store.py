"""The drift reports on disk: an HTML page and its figures, one pair of files a report; the oldest are deleted first.

STATE/reports/MODEL/20260131T235959Z.html
STATE/reports/MODEL/20260131T235959Z.json
"""

import base64
import contextlib
import errno
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tightrope.service.adapters.archive.free_space import FreeSpace

REPORT_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
"""A report's name: its time in UTC. No other name is ever looked up on disk."""

SCRIPT_ELEMENT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class StoredReport:
    """One report. ``figures`` are the results as JSON, ``scripts`` the hashes of the page's inline scripts, in the
    notation of a Content-Security-Policy.
    """

    name: str
    page: Path
    figures: Mapping[str, Any]
    scripts: tuple[str, ...]

    @property
    def time(self) -> float:
        """The time of the report, in seconds since the epoch."""
        return datetime.strptime(self.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


class ReportStore:
    """The reports of all models in one folder. Any process may read it; no incomplete report is ever visible."""

    def __init__(self, folder: Path, space: FreeSpace | None = None) -> None:
        self._folder = folder
        self._space = space or FreeSpace(folder)

    def save(self, model: str, page: str, figures: Mapping[str, object], keep: int, now: float) -> StoredReport:
        """Write a report made at ``now`` (seconds since the epoch), and delete the oldest beyond ``keep``.

        Raises:
            OSError: when the disk refuses it, or has less than the reserve for modes and events.
        """
        if self._space.is_short():
            raise OSError(errno.ENOSPC, "No space left: the rest of the volume is a reserve for modes and events")
        folder = self._folder / model
        for parent in (self._folder, folder):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        scripts = script_hashes(page)
        _write(folder / f"{name}.html", page)
        _write(folder / f"{name}.json", json.dumps({"figures": figures, "scripts": scripts}))
        for old in self.names(model)[keep:]:
            (folder / f"{old}.json").unlink(missing_ok=True)
            (folder / f"{old}.html").unlink(missing_ok=True)
        return StoredReport(name, folder / f"{name}.html", figures, tuple(scripts))

    def list(self, model: str) -> Sequence[StoredReport]:
        """A model's reports, newest first."""
        reports = [self.find(model, name) for name in self.names(model)]
        return [report for report in reports if report is not None]

    def find(self, model: str, name: str) -> StoredReport | None:
        """One report, or None. ``model`` must be the name of a served model, ``name`` may be any text."""
        if not REPORT_NAME.fullmatch(name):
            return None
        page = self._folder / model / f"{name}.html"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # deleted meanwhile, or a foreign file
            document = json.loads(page.with_suffix(".json").read_bytes())
            if page.is_file():
                return StoredReport(name, page, dict(document["figures"]), tuple(map(str, document["scripts"])))
        return None

    def names(self, model: str) -> Sequence[str]:
        """The names of the complete reports (the figures are written last), newest first."""
        stems = (path.stem for path in (self._folder / model).glob("*.json"))
        return sorted((stem for stem in stems if REPORT_NAME.fullmatch(stem)), reverse=True)


def script_hashes(page: str) -> Sequence[str]:
    """The hashes of a page's inline scripts: with them in its policy, a browser runs no other script."""
    return [
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in SCRIPT_ELEMENT.findall(page)
    ]


def content_security_policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with these scripts: it may run them and draw, but make no connection."""
    run = " ".join(f"'{script}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {run}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _write(path: Path, text: str) -> None:
    """Write a file as a whole: it gets its name when it is complete."""
    draft = path.with_suffix(path.suffix + ".part")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)
