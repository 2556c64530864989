"""The releases whose members run beside each other: this tree's, and that of an earlier revision."""

import sys
from dataclasses import dataclass

from benchmarks.serving.revision import checked_out

FIRST_RELEASE = "d93bd25"
"""The last revision of release 0.1."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release: ``command`` is the start of its command lines."""

    name: str
    command: tuple[str, ...]


THIS_RELEASE = Release("this", (sys.executable, "-P", "-m", "tightrope"))


def release_of(revision: str) -> Release:
    """The release of a revision, in a worktree and with packages of its own.

    Raises:
        RevisionError: when git does not know it, or its packages cannot be installed.
    """
    tree = checked_out(revision)
    return Release(tree.name, (*tree.prefix, "-P", "-m", "tightrope"))
