"""What machine this is: int8 kernels give other answers on other processors, so evidence names the one it comes
from.
"""

import multiprocessing
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
"""Instruction sets that change the results of quantized kernels."""


def cpu() -> str:
    """The processor's name and its instruction sets for quantized kernels, as far as the system tells."""
    lines = CPUINFO.read_text(errors="replace").splitlines() if CPUINFO.exists() else []
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = told.get("model name") or platform.processor() or platform.machine()
    flags = (told.get("flags") or told.get("Features") or "").split()
    return " ".join([name, *(flag for flag in TELLING if flag in flags)])


def cores() -> int:
    """Those that a model's threads can have."""
    return multiprocessing.cpu_count()
