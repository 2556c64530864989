"""The space on the state's volume: a reserve is left to modes and events, and files for people stop before it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

RESERVE_BYTES = 64 * 1024 * 1024
RESERVE_SHARE = 0.1
"""The reserve: this many bytes, or this share of a volume that is smaller than ten times as many."""


class VolumeSize(Protocol):
    """The size of a volume as `os.statvfs` returns it."""

    @property
    def f_frsize(self) -> int:
        """Bytes in a block."""

    @property
    def f_blocks(self) -> int:
        """Blocks of the volume."""

    @property
    def f_bavail(self) -> int:
        """Blocks that are free for programs without privileges."""


class FreeSpace:
    """Watches the volume of a folder, which need not exist yet. Each question takes the system microseconds.
    ``reserve`` is in bytes.
    """

    def __init__(
        self, folder: Path, statvfs: Callable[[Path], VolumeSize] = os.statvfs, reserve: float = RESERVE_BYTES
    ) -> None:
        self._folder, self._reserve = folder, reserve
        self._statvfs = statvfs

    def is_short(self) -> bool:
        """Whether less than the reserve is free, or the volume cannot be asked: people can wait."""
        folder = next(one for one in (self._folder, *self._folder.parents) if one.exists())
        try:
            size = self._statvfs(folder)
        except OSError:
            return True
        reserve = min(self._reserve, RESERVE_SHARE * size.f_blocks * size.f_frsize)
        return size.f_bavail * size.f_frsize < reserve
