"""Check out a revision of this repository beside the working tree, and start its servers.

The revision gets a git worktree in the benchmark's cache folder; it is reused by later runs. Where its pinned packages
are those of this tree, this interpreter runs it; otherwise it gets an environment of its own beside the worktree.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.serving.models import CACHE, ModelKind
from benchmarks.serving.servers import ROOT, Candidate

LOCK = "requirements.lock"
ENTRY_POINTS = ("tightrope.__main__", "benchmarks.serving.gateway")


class RevisionError(Exception):
    """The revision cannot be checked out or run."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A source tree and the interpreter that runs it."""

    name: str
    path: Path
    python: Path

    def candidate(self, candidate: Candidate) -> Candidate:
        """The candidate, run from this tree: its command must begin with this process's interpreter."""

        def command(kind: ModelKind, folder: Path, port: int) -> Sequence[str]:
            python, *arguments = candidate.command(kind, folder, port)
            if python != sys.executable:
                raise RevisionError(f"{candidate.name} is not started by {sys.executable}")
            return [*self.prefix, *arguments]

        return replace(candidate, name=self.name, command=command)

    @property
    def prefix(self) -> list[str]:
        """The start of a command: `env` replaces itself by the interpreter, so the process id stays."""
        return ["env", "-C", str(self.path), f"PYTHONPATH={self.path}", str(self.python)]

    def verify(self, modules: Sequence[str] = ENTRY_POINTS) -> None:
        """Check that modules are imported from this tree: the entry points of servers, or others.

        Raises:
            RevisionError: one is missing, or comes from another folder.
        """
        for module in modules:
            code = f"import importlib.util as u; print(u.find_spec({module!r}).origin)"
            origin = _output([*self.prefix, "-P", "-c", code])
            if not Path(origin).is_relative_to(self.path):
                raise RevisionError(f"{self.name}: {module} is imported from {origin}, not from {self.path}")


def working_tree() -> Tree:
    """The tree that this file is part of."""
    return Tree("this tree", ROOT, Path(sys.executable))


def checked_out(revision: str) -> Tree:
    """The revision in its worktree, with an interpreter that has its packages.

    Raises:
        RevisionError: git does not know the revision, or its packages cannot be installed.
    """
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--verify", f"{revision}^{{commit}}"])
    folder = CACHE / "revisions" / commit
    path = folder / "tree"
    if not (path / ".git").exists():
        shutil.rmtree(path, ignore_errors=True)
        # --force: git may still list a worktree of this path whose folder was deleted
        _output(["git", "-C", str(ROOT), "worktree", "add", "--force", "--detach", str(path), commit])
    python = Path(sys.executable)
    if pins(path / LOCK) != pins(ROOT / LOCK):
        python = _environment(folder, path / LOCK)
    return Tree(commit[:7], path, python)


def pins(lock: Path) -> list[str]:
    """The packages, markers and hashes of a lock file, without its comments."""
    lines = (line.partition("#")[0].strip() for line in lock.read_text().splitlines())
    return [line for line in lines if line]


def _environment(folder: Path, lock: Path) -> Path:
    """An environment with the packages of a lock; the folder gets its name when it is complete."""
    complete, unfinished = folder / "venv", folder / f"venv-{os.getpid()}"
    if not complete.exists():
        _output([sys.executable, "-m", "venv", str(unfinished)])
        pip = [str(unfinished / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        _output([*pip, "--require-hashes", "-r", str(lock)])
        unfinished.rename(complete)
    return complete / "bin" / "python"


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        raise RevisionError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()
