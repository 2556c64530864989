"""The memory of the machine or container, and of a process, as Linux reports them."""

import os
from pathlib import Path

PROC = Path("/proc")

CGROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""Control groups, version 2 and 1: folder, files of a container's limit and use, and the name of what the kernel gives
back of that in `memory.stat`: cached files.
"""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def available_bytes() -> int | None:
    """The bytes that a new process can use before the machine or the container has none left; None if unknown."""
    found = [_machine_bytes(), *(_group_bytes(*group) for group in CGROUPS)]
    return min((number for number in found if number is not None), default=None)


def resident_bytes(pid: int) -> int:
    """The bytes of memory that a process occupies; 0 if it has ended, or the system does not tell."""
    try:
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def own_resident_bytes() -> int:
    """The bytes of memory that this process occupies; 0 if the system does not tell."""
    return resident_bytes(os.getpid())


def own_peak_bytes() -> int:
    """The most memory that this program has occupied so far; 0 if the system does not tell. Unlike `ru_maxrss` it does
    not count the process that started this one.
    """
    try:
        lines = (PROC / "self" / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _machine_bytes() -> int | None:
    try:
        lines = (PROC / "meminfo").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _group_bytes(folder: Path, limit: str, usage: str, cached: str) -> int | None:
    try:
        left = int((folder / limit).read_text()) - int((folder / usage).read_text())
        figures = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, left + int(figures[cached]))
    except (OSError, ValueError, KeyError):  # ValueError: the limit is "max"
        return None
