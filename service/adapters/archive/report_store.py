"""The drift reports on disk: a page to read and its figures, one pair of files a report, the oldest go first.

STATE/reports/MODEL/20260131T235959Z.html
STATE/reports/MODEL/20260131T235959Z.json
"""

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
"""A report's name, the UTC time when it was made: nothing else is ever looked for on disk."""

SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Report:
    """One report. ``figures`` is what the job found, as JSON; ``scripts`` the hashes of the page's own scripts, in the
    notation of a Content-Security-Policy.
    """

    name: str
    page: Path
    figures: Mapping[str, Any]
    scripts: tuple[str, ...]

    @property
    def time(self) -> float:
        """When it was made, in seconds since the epoch."""
        return datetime.strptime(self.name, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


class ReportStore:
    """The reports of every model, in one folder. Any process may read; whoever writes leaves no half report behind."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, model: str, page: str, figures: Mapping[str, object], keep: int, now: float) -> Report:
        """Write a report made at ``now`` (seconds since the epoch), and drop the oldest beyond ``keep``.

        Raises:
            OSError: when the disk does not take it.
        """
        folder = self._folder / model
        for place in (self._folder, folder):
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        scripts = script_hashes(page)
        _write(folder / f"{name}.html", page)
        _write(folder / f"{name}.json", json.dumps({"figures": figures, "scripts": scripts}))
        for old in self.names(model)[keep:]:
            (folder / f"{old}.json").unlink(missing_ok=True)
            (folder / f"{old}.html").unlink(missing_ok=True)
        return Report(name, folder / f"{name}.html", figures, tuple(scripts))

    def list(self, model: str) -> Sequence[Report]:
        """A model's reports, newest first."""
        found = [self.find(model, name) for name in self.names(model)]
        return [report for report in found if report is not None]

    def find(self, model: str, name: str) -> Report | None:
        """One report; ``model`` must be the name of a model that is served, ``name`` may be anything at all."""
        if not NAME.fullmatch(name):
            return None
        page = self._folder / model / f"{name}.html"
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # dropped meanwhile, or not written by us
            told = json.loads(page.with_suffix(".json").read_bytes())
            if page.is_file():
                return Report(name, page, dict(told["figures"]), tuple(map(str, told["scripts"])))
        return None

    def names(self, model: str) -> Sequence[str]:
        """Of the reports that are complete (the figures are written last), newest first."""
        stems = (path.stem for path in (self._folder / model).glob("*.json"))
        return sorted((stem for stem in stems if NAME.fullmatch(stem)), reverse=True)


def script_hashes(page: str) -> Sequence[str]:
    """The hashes of a page's inline scripts: a browser that is told them runs no other."""
    return [
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in SCRIPT.findall(page)
    ]


def policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy of a page with these scripts: it runs them, draws, and reaches nobody."""
    run = " ".join(f"'{script}'" for script in scripts) or "'none'"
    return (
        f"default-src 'none'; script-src {run}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _write(path: Path, text: str) -> None:
    """All of it, or nothing that bears its name."""
    draft = path.with_suffix(path.suffix + ".part")
    draft.write_text(text, encoding="utf-8", newline="\n")
    draft.replace(path)
