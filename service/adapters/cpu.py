"""What machine this is: int8 kernels give other answers on other processors, so evidence names the one it comes
from.
"""

import multiprocessing
import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instruction sets that change the results of quantized kernels."""

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processor time that a container may have, and in how many: version 2 of control groups."""


def cpu() -> str:
    """The processor's name and its instruction sets for quantized kernels, as far as the system tells."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.exists() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform.processor() or platform.machine()
    flags = (told.get("flags") or told.get("Features") or "").split()
    return " ".join([name, *(flag for flag in TELLING if flag in flags)])


def cores() -> int:
    """Those that this process may use: a container has often fewer than the machine."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else multiprocessing.cpu_count()
    quota, _, period = QUOTA.read_text().partition(" ") if QUOTA.exists() else ("max", "", "")
    return allowed if quota.strip() == "max" else max(1, min(allowed, round(int(quota) / int(period))))
