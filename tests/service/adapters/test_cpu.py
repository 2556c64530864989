"""Evidence names the processor, as far as the system reports it."""

import os
import platform
from pathlib import Path

import pytest

from tightrope.service.adapters import cpu

INTEL = """processor\t: 0
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu sse avx2 avx512f avx512_vnni other

processor\t: 1
model name\t: Some CPU @ 2.00GHz
flags\t\t: fpu sse avx2 avx512f avx512_vnni other
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (INTEL, "Some CPU @ 2.00GHz avx2 avx512f avx512_vnni"),
        (ARM, f"{platform.processor() or platform.machine()} asimddp i8mm"),
        ("", platform.processor() or platform.machine()),
        (None, platform.processor() or platform.machine()),
    ],
    ids=["x86", "arm", "empty", "no such file"],
)
def test_processor_and_its_relevant_instructions_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, told: str
) -> None:
    """The text has the name and the instruction sets that change quantized results."""
    path = tmp_path / "cpuinfo"
    if content is not None:
        path.write_text(content)
    monkeypatch.setattr(cpu, "CPUINFO", path)
    assert cpu.cpu_name() == told


def test_this_machine_has_a_processor() -> None:
    """The text is one line."""
    assert cpu.cpu_name()
    assert "\n" not in cpu.cpu_name()


@pytest.mark.parametrize(
    ("content", "most"),
    [("100000 100000\n", 1), ("150000 100000\n", 2), ("20000 100000\n", 1), ("max 100000\n", 64), (None, 64)],
)
def test_cores_are_those_that_the_process_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, most: int
) -> None:
    """A container's quota limits them, rounded, to at least one."""
    if content is not None:
        (tmp_path / "cpu.max").write_text(content)
    monkeypatch.setattr(cpu, "CGROUP_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    assert cpu.usable_cores() == most


def test_cores_are_fewer_where_the_process_is_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor affinity limits them too."""
    monkeypatch.setattr(cpu, "CGROUP_QUOTA", tmp_path / "none")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert cpu.usable_cores() == 1


def test_a_process_can_stay_on_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that it may use; without the call it stays where it is, and says so."""
    kept: list[set[int]] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {2, 5}, raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda _, cores: kept.append(cores), raising=False)
    assert cpu.pin_to_one_core()
    assert kept == [{2}]
    monkeypatch.delattr(os, "sched_setaffinity")
    assert not cpu.pin_to_one_core()
