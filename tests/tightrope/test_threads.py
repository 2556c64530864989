"""The threads of numpy in a process of ours."""

import os
import subprocess
import sys

import pytest

from tightrope import THREADS_VARIABLE

COUNT = """
import os, tightrope, numpy

numpy.ones((400, 400)) @ numpy.ones((400, 400))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({THREADS_VARIABLE: "2"}, min(2, os.cpu_count() or 1))])
def test_product_uses_one_thread_unless_the_environment_says_otherwise(given: dict[str, str], threads: int) -> None:
    """The judge's products are small; threads that wait for the next one would take the cores of the models."""
    environ = {name: value for name, value in os.environ.items() if name != THREADS_VARIABLE} | given
    ran = subprocess.run([sys.executable, "-c", COUNT], env=environ, capture_output=True, text=True, check=True)
    assert int(ran.stdout) == threads
