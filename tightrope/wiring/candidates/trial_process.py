"""The process that tries a pair: `python -P -m tightrope.wiring.candidates.trial_process NAME PARENT SECONDS`.

It reads the settings from standard input, loads the files of the pair, and runs them on made-up rows, the golden rows
and a row of zeros, as the server would. On standard output it writes one JSON object a line: each step that begins,
then what it found. It ends with its parent, or with its time.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tightrope.monitors.records import Role
from tightrope.service.adapters.ports import RunDeadlineError, RunFailedError
from tightrope.service.config.loader import ConfigError, Settings
from tightrope.service.inference.loading.pair_loading import build_pair
from tightrope.service.protocol.tensors import zeros
from tightrope.wiring.candidates.golden_check import check_golden_rows

STEP, PROBLEMS = "step", "problems"
"""Keys of the results: a step that begins, and the mistakes of a pair that is refused."""

PR_SET_PDEATHSIG = 1
"""The option of Linux' prctl that names the signal at the end of the parent."""

FIRST_TO_KILL = "1000"
"""The score with which the kernel, out of memory, ends this process before all others."""


def submit_to_parent(parent: int, seconds: float) -> None:
    """Make this process end with its parent and after these seconds, and leave no core.

    The kernel ends it: code of a library may never return to the interpreter.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with contextlib.suppress(AttributeError):  # another system than Linux
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_KILL)


def try_pair(name: str, settings: Settings, announce: Callable[[str], None]) -> dict[str, Any]:
    """Try the files of a pair; return their digests, and the findings about their outputs.

    Raises:
        ConfigError: with every mistake.
    """
    section = settings.models[name]
    files = [role for role in Role if isinstance(getattr(section, role), Path)]
    pair = build_pair(name, settings, announce)
    if section.golden:
        announce(f"models.{name}.golden: {section.golden}: a run on the golden rows")
        check_golden_rows(pair, settings, files)
    for role in files:
        step = f"models.{name}.{role}: {getattr(section, role)}: a run on a row of zeros"
        announce(step)
        try:
            pair.models[role].run(zeros(pair.inputs), pair.output_names)
        except RunDeadlineError as error:
            raise ConfigError([f"{step}: {error} (models.{name}.run_seconds)"]) from error
        except RunFailedError:  # a model may refuse zeros
            pass
    findings = {role: found for role, found in pair.batchability.findings.items() if role in files}
    return {
        "digests": {key: pair.digests[key] for key, value in section.artefacts.items() if isinstance(value, Path)},
        "axes": pair.layout and pair.layout.axes,
        "findings": msgspec.to_builtins(findings),
    }


def main(name: str, parent: str, seconds: str) -> None:
    """Try the pair of this name; an error is a result as well."""
    submit_to_parent(int(parent), float(seconds))
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as results:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # a library may print

        def write(document: dict[str, Any]) -> None:
            results.write(f"{json.dumps(document)}\n")
            results.flush()

        try:
            settings = Settings.model_validate(json.loads(sys.stdin.buffer.read()))
            write(try_pair(name, settings, lambda step: write({STEP: step})))
        except ConfigError as error:
            write({PROBLEMS: error.problems})
        except Exception as error:  # noqa: BLE001 - a file may cause any
            write({PROBLEMS: [f"models.{name}: {type(error).__name__}: {error}"]})


if __name__ == "__main__":
    main(*sys.argv[1:])
