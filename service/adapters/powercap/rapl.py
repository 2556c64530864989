"""The energy that the processor packages took, as RAPL counts it and Linux shows it in `/sys/class/powercap`.

Each package counts microjoules up to the end of its range, then from 0 again: within ten minutes at high power, so it
must be read more often. Zones of parts of a package, and of the whole platform, would count the same energy twice.
Many systems let only root read it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:*"
"""The zones of packages and platforms, on processors of AMD too; those of parts have a second colon."""

MICROJOULE = 1e-6


@dataclass(slots=True)
class PackageZone:
    """The counter of one package: its file, the end of its range and the latest value, in microjoules."""

    file: Path
    end: int
    latest: int

    def advance(self) -> int:
        """The microjoules since the latest value.

        Raises:
            OSError or ValueError: when it cannot be read any more.
        """
        now = int(self.file.read_text())
        since, self.latest = now - self.latest, now
        return since if since >= 0 else since + self.end


class RaplMeter:
    """Implements `ports.EnergyMeter` by these packages."""

    def __init__(self, zones: Sequence[PackageZone]) -> None:
        self._zones = zones
        self._microjoules = 0

    def joules(self) -> float | None:
        """The energy since this meter was opened; None where a counter cannot be read any more."""
        try:
            self._microjoules += sum(zone.advance() for zone in self._zones)
        except (OSError, ValueError):
            return None
        return self._microjoules * MICROJOULE


def open_meter(folder: Path = POWERCAP) -> RaplMeter | None:
    """Open the counters of all packages; None on a host without them, or if one cannot be read."""
    try:
        found = [path for path in sorted(folder.glob(PACKAGES)) if path.name.count(":") == 1]
        packages = [path for path in found if (path / "name").read_text().startswith("package")]
        zones = [
            PackageZone(
                path / "energy_uj",
                int((path / "max_energy_range_uj").read_text()),
                int((path / "energy_uj").read_text()),
            )
            for path in packages
        ]
    except (OSError, ValueError):
        return None
    return RaplMeter(zones) if zones else None
