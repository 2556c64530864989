"""The processor: its name, and the cores this process may use.

int8 kernels give different results on different processors, so evidence names the processor it comes from.
"""

import multiprocessing
import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
RELEVANT_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instruction sets that change the results of quantized kernels."""

CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Control groups v2: "QUOTA PERIOD", the microseconds of processor time that a container may use per period."""


def cpu_name() -> str:
    """The processor's name and its instruction sets for quantized kernels, as far as the system reports them."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.exists() else []
    entries = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = entries.get("model name") or platform.processor() or platform.machine()
    flags = (entries.get("flags") or entries.get("Features") or "").split()
    return " ".join([name, *(flag for flag in RELEVANT_FLAGS if flag in flags)])


def usable_cores() -> int:
    """The cores that this process may use; in a container often fewer than the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else multiprocessing.cpu_count()
    quota, _, period = CGROUP_QUOTA.read_text().partition(" ") if CGROUP_QUOTA.exists() else ("max", "", "")
    return allowed if quota.strip() == "max" else max(1, min(allowed, round(int(quota) / int(period))))
