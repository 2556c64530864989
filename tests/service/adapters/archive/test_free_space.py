"""The reserve of the state's volume."""

from pathlib import Path

import pytest

from tests.support.volumes import Volume
from tightrope.service.adapters.archive.free_space import RESERVE_BYTES, FreeSpace

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("free", "size", "short"),
    [
        (RESERVE_BYTES, 1000 * MIB, False),
        (RESERVE_BYTES - 4096, 1000 * MIB, True),
        (0, 1000 * MIB, True),
        (2 * MIB, 16 * MIB, False),
        (1 * MIB, 16 * MIB, True),
    ],
)
def test_volume_is_short_below_its_reserve(tmp_path: Path, free: int, size: int, *, short: bool) -> None:
    """A small volume has a reserve of a tenth of it."""
    assert FreeSpace(tmp_path, lambda _: Volume(free, size)).is_short() is short


def test_folder_need_not_exist(tmp_path: Path) -> None:
    """The volume of the nearest folder above it counts."""
    asked: list[Path] = []

    def statvfs(folder: Path) -> Volume:
        asked.append(folder)
        return Volume(RESERVE_BYTES)

    assert not FreeSpace(tmp_path / "a" / "b", statvfs).is_short()
    assert asked == [tmp_path]


def test_volume_that_cannot_be_asked_is_short(tmp_path: Path) -> None:
    """Unknown is unsafe: people can wait."""

    def statvfs(_: Path) -> Volume:
        raise OSError

    assert FreeSpace(tmp_path, statvfs).is_short()
