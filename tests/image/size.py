"""Measure the lean image above its base, without building it: `python -m tests.image.size`."""

import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.house.sources import PACKAGES, ROOT, python


def packages(lock: str = "requirements.lock") -> int:
    """Return the bytes of the files that a lock installs, compiled, without tests, as in this environment.

    Raises:
        PackageNotFoundError: if one of the packages is not installed here.
    """
    pins = [line.rstrip(" \\") for line in (ROOT / lock).read_text().splitlines() if line[:1].isalnum()]
    wanted = [Requirement(pin) for pin in pins]
    return sum(_bytes(one.name) for one in wanted if one.marker is None or one.marker.evaluate())


def program() -> int:
    """Return the bytes of Tightrope itself."""
    return sum((ROOT / path).stat().st_size for path in python(*PACKAGES))


def _bytes(name: str) -> int:
    listed = [Path(str(file.locate())) for file in distribution(name).files or [] if "tests" not in file.parts[:-1]]
    return sum(path.stat().st_size for path in set(listed) if path.is_file())


if __name__ == "__main__":
    sys.stdout.write(f"packages {packages() / 1e6:.0f} MB, program {program() / 1e6:.1f} MB\n")
