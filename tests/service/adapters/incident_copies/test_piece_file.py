from pathlib import Path

import pytest

from tightrope.service.adapters.incident_copies.piece_file import PieceFile


def test_pieces_are_read_as_they_were_written(tmp_path: Path) -> None:
    """In any order, from a file without a name, which leaves nothing behind."""
    file = PieceFile(tmp_path / "new" / "incidents", 3)
    slots = [file.write(data) for data in (b"one", b"", b"three")]
    assert None not in slots
    assert [file.read(slot) for slot in reversed(slots) if slot] == [b"three", b"", b"one"]
    assert list((tmp_path / "new" / "incidents").iterdir()) == []
    file.close()


def test_a_deleted_piece_is_overwritten_and_its_room_used_again(tmp_path: Path) -> None:
    """The file has at most as many slots as it may have pieces."""
    file = PieceFile(tmp_path, 2)
    first, second = file.write(b"secret"), file.write(b"second")
    assert first is not None
    assert second is not None
    assert file.write(b"third") is None
    file.erase(first)
    assert file.read(first) == bytes(6)
    third = file.write(b"3")
    assert third is not None
    assert third.number == first.number
    assert [file.read(slot) for slot in (second, third)] == [b"second", b"3"]
    assert file.write(b"more") is None
    file.close()


def test_nothing_is_written_while_the_volume_is_short(tmp_path: Path) -> None:
    """The pieces before stay."""
    short = [False]
    file = PieceFile(tmp_path, 2, lambda: short[0])
    slot = file.write(b"a")
    assert slot is not None
    short[0] = True
    assert file.write(b"b") is None
    assert file.read(slot) == b"a"
    file.close()


def test_a_disk_that_refuses_is_an_error(tmp_path: Path) -> None:
    """The place of the folder is a file."""
    (tmp_path / "incidents").write_text("")
    with pytest.raises(OSError, match="incidents"):
        PieceFile(tmp_path / "incidents", 2).write(b"a")


def test_a_closed_file_begins_anew(tmp_path: Path) -> None:
    """All its room is free again."""
    file = PieceFile(tmp_path, 1)
    assert file.write(b"a") is not None
    file.close()
    assert file.write(b"b") is not None
    file.close()
