"""Memory as Linux reports it: this machine's, a container's, and a process's."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tightrope.service.adapters import memory
from tightrope.service.adapters.memory import available_bytes, own_resident_bytes, resident_bytes

MIB = 1024**2

TOUCHING = """
import mmap
import sys
print("begun", flush=True)
sys.stdin.readline()
pages = mmap.mmap(-1, 64 * 1024**2)
pages.write(bytes(len(pages)))
print("touched", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of /proc and /sys/fs/cgroup: a machine with 4 GiB, without control groups."""
    (tmp_path / "meminfo").write_text("MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n")
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(memory, "CGROUPS", [(tmp_path / group[0].name, *group[1:]) for group in memory.CGROUPS])
    return tmp_path


def write_group(system: Path, version: int, limit: object, usage: int, cached: int) -> None:
    """Write the files of a control group."""
    folder, names = (system / "cgroup", ("memory.max", "memory.current", "inactive_file"))
    if version == 1:
        folder, names = system / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    folder.mkdir()
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {cached}\n")


def test_machine_without_a_container(system: Path) -> None:
    """The kernel knows how much a new process can have."""
    assert system.is_dir()
    assert available_bytes() == 4096 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_limit_of_a_container_counts(system: Path, version: int) -> None:
    """Cached files count as available: the kernel gives them back first."""
    write_group(system, version, 1024 * MIB, 900 * MIB, 400 * MIB)
    assert available_bytes() == 524 * MIB


def test_container_without_a_limit_is_the_machine(system: Path) -> None:
    """Version 2 says `max`."""
    write_group(system, 2, "max", 900 * MIB, 0)
    assert available_bytes() == 4096 * MIB


def test_container_beyond_its_limit_has_nothing(system: Path) -> None:
    """Never a negative number."""
    write_group(system, 2, MIB, 2 * MIB, 0)
    assert available_bytes() == 0


def test_another_system_is_unknown(system: Path) -> None:
    """Without /proc there is no answer, and no error."""
    (system / "meminfo").unlink()
    assert available_bytes() is None


def test_memory_of_a_process() -> None:
    """It grows with what the process touches; one that has ended has none.

    The pages are mapped anew, in a process of its own: an allocator may give out pages that were resident before.
    """
    child = subprocess.Popen([sys.executable, "-c", TOUCHING], stdin=PIPE, stdout=PIPE, text=True)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        before = resident_bytes(child.pid)
        child.stdin.write("\n")
        child.stdin.flush()
        child.stdout.readline()
        assert resident_bytes(child.pid) - before == pytest.approx(64 * MIB, rel=0.1)
        child.stdin.close()
    assert resident_bytes(child.pid) == 0


def test_own_memory_is_that_of_this_process() -> None:
    """Within what the test itself allocates meanwhile."""
    assert own_resident_bytes() == pytest.approx(resident_bytes(os.getpid()), rel=0.1)


def test_peak_is_at_least_what_is_occupied_now() -> None:
    """The most so far, in bytes; the kernel counts pages in parts, so a mebibyte may be missing."""
    assert memory.own_peak_bytes() + MIB >= own_resident_bytes() > 0


def test_unknown_peak_is_zero(system: Path) -> None:
    """A system that does not tell it."""
    assert system.is_dir()
    assert memory.own_peak_bytes() == 0
