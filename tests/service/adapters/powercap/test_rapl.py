"""Counters in a made-up folder, as Linux shows those of processors."""

from pathlib import Path

import pytest

from tightrope.service.adapters.powercap.rapl import open_meter

END = 262_143_328_850


def zone(folder: Path, name: str, kind: str, microjoules: int) -> Path:
    """Write a zone; returns its counter."""
    (folder / name).mkdir(parents=True)
    (folder / name / "name").write_text(f"{kind}\n")
    (folder / name / "max_energy_range_uj").write_text(f"{END}\n")
    counter = folder / name / "energy_uj"
    counter.write_text(f"{microjoules}\n")
    return counter


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    """The core and the memory of a package are in it, and the packages are in the platform."""
    first, second = (zone(tmp_path, f"intel-rapl:{n}", f"package-{n}", 1_000_000) for n in (0, 1))
    others = [zone(tmp_path, "intel-rapl:0:0", "core", 0), zone(tmp_path, "intel-rapl:2", "psys", 0)]
    meter = open_meter(tmp_path)
    assert meter is not None
    assert meter.joules() == 0
    first.write_text("3500000\n")
    second.write_text("2000000\n")
    for each in others:
        each.write_text("9000000\n")
    assert meter.joules() == pytest.approx(3.5)
    assert meter.joules() == pytest.approx(3.5)


def test_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    """It counts to the end of its range, then from 0."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", END - 1_000_000)
    meter = open_meter(tmp_path)
    assert meter is not None
    counter.write_text("500000\n")
    assert meter.joules() == pytest.approx(1.5)
    counter.write_text("1500000\n")
    assert meter.joules() == pytest.approx(2.5)


@pytest.mark.parametrize("content", ["", "many\n"])
def test_host_that_does_not_tell_has_no_meter(tmp_path: Path, content: str) -> None:
    """Without zones, without packages, or with a counter that cannot be read."""
    assert open_meter(tmp_path / "none") is None
    zone(tmp_path, "intel-rapl:1", "psys", 0)
    assert open_meter(tmp_path) is None
    zone(tmp_path, "intel-rapl:0", "package-0", 0).write_text(content)
    assert open_meter(tmp_path) is None


def test_counter_that_vanishes_tells_nothing_more(tmp_path: Path) -> None:
    """A wrong figure would be worse."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = open_meter(tmp_path)
    assert meter is not None
    counter.unlink()
    assert meter.joules() is None
