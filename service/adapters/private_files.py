"""The files of a state that others may read, such as those of an earlier version: they are taken from them."""

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

STATE_FILES = (
    "tightrope.db*",
    "tightrope.lock",
    "holders.lock",
    "alerts.*",
    "review.db*",
    "costs.db*",
    "marks.*",
    "draw.secret*",
    "audit.key*",
    "dissents.jsonl",
    "deployed.json*",
    "probes.json*",
    "events-*.jsonl",
    "rows",
    "rows/**/*",
    "ids.secret*",
    "journal",
    "journal/**/*",
    "reports",
    "reports/**/*",
)
"""Files that this program writes to a state folder, and SQLite beside a database."""

OTHERS = 0o077
"""The permissions of the group and of all others."""


def restrict_state(folder: Path) -> None:
    """Leave the files of a state, and the folder if it holds nothing else, to this user alone.

    A file that belongs to another user stays as it is, and a warning tells the first one.
    """
    if not folder.is_dir():
        return
    files = [path for pattern in STATE_FILES for path in folder.glob(pattern)]
    own = [folder] if files and {*folder.iterdir()} <= {*files} else []
    open_files = list(_open_to_others([*own, *files]))
    left = [path for path in open_files if not _restrict(path) and path != folder]
    if left:
        log.warning("%s: other users may read it, and %d others of the state; run chmod go=", left[0], len(left) - 1)


def _open_to_others(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except OSError:  # SQLite deletes its journals
            continue
        if mode & OTHERS and (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            yield path


def _restrict(path: Path) -> bool:
    try:
        os.chmod(path, stat.S_IMODE(path.lstat().st_mode) & ~OTHERS)  # noqa: PTH101 - as lstat
    except OSError:
        return False
    return True
