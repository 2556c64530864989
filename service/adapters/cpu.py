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
    name = _entries().get("model name") or platform.processor() or platform.machine()
    return " ".join([name, *_relevant_flags()])


def _entries() -> dict[str, str]:
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _relevant_flags() -> list[str]:
    entries = _entries()
    flags = (entries.get("flags") or entries.get("Features") or "").split()
    return [flag for flag in RELEVANT_FLAGS if flag in flags]


def host_class(runtime: str) -> str:
    """The class of this host: rows of one class are computed alike. Architecture, instruction sets, and the minor
    version of ``runtime``, the version of onnxruntime.
    """
    minor = ".".join(runtime.split(".")[:2])
    return "/".join([platform.machine() or "unknown", "+".join(_relevant_flags()) or "-", f"onnxruntime-{minor}"])


def usable_cores() -> int:
    """The cores that this process may use; in a container often fewer than the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else multiprocessing.cpu_count()
    quota, _, period = CGROUP_QUOTA.read_text().partition(" ") if CGROUP_QUOTA.exists() else ("max", "", "")
    return allowed if quota.strip() == "max" else max(1, min(allowed, round(int(quota) / int(period))))


def pin_to_one_core() -> bool:
    """Keep this process on the first core that it may use; False where the system has no such call."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return True
