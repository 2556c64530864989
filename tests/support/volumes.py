"""Volumes of a chosen size for tests: a made-up one, and a real one in memory."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

BLOCK_BYTES = 4096


@dataclass(frozen=True)
class Volume:
    """A volume of a thousand mebibytes with this number of free bytes."""

    free: int
    size: int = 1000 * 1024 * 1024
    f_frsize: int = BLOCK_BYTES

    @property
    def f_blocks(self) -> int:
        """All blocks."""
        return self.size // self.f_frsize

    @property
    def f_bavail(self) -> int:
        """Free blocks."""
        return self.free // self.f_frsize


@contextmanager
def small_volume(folder: Path, size: str) -> Iterator[Path]:
    """Mount a volume of this size at a new folder, or skip the test where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a volume, and not in every container")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S607 - found in the path
