"""Files of a state that others could read are taken from them; files of others stay as they are."""

import logging
import stat
from pathlib import Path

import pytest

from tightrope.service.adapters import private_files
from tightrope.service.adapters.private_files import restrict_state

NAMES = (
    *("tightrope.db", "tightrope.db-wal", "tightrope.db.unreadable-20260101T000000Z", "tightrope.lock", "alerts.db"),
    *(
        "marks.db",
        "draw.secret",
        "deployed.json",
        "events-20260101.jsonl",
        "rows/m/new.rows",
        "reports/m/one/page.html",
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder as an earlier version left it: all users can read everything."""
    state = tmp_path / "state"
    for name in NAMES:
        (state / name).parent.mkdir(parents=True, exist_ok=True)
        (state / name).touch(0o644)
        (state / name).chmod(0o644)
    for path in [state, *state.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return state


def modes(folder: Path) -> dict[str, str]:
    """The permissions of a folder and of everything in it."""
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): oct(stat.S_IMODE(path.stat().st_mode)) for path in found}


def test_state_of_an_earlier_version_becomes_private(folder: Path) -> None:
    """Files 0600, folders 0700."""
    restrict_state(folder)
    found = modes(folder)
    assert {found[name] for name in NAMES} == {"0o600"}
    assert {mode for name, mode in found.items() if name not in NAMES} == {"0o700"}
    assert len(found) == len(NAMES) + len((".", "rows", "rows/m", "reports", "reports/m", "reports/m/one"))


def test_other_files_stay_as_they_are(folder: Path) -> None:
    """A configuration or a model beside the state is read by other programs, and the folder is theirs, too."""
    for name in ("tightrope.yaml", "m.onnx"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    (folder / "rows" / "link").symlink_to(folder / "m.onnx")
    restrict_state(folder)
    found = modes(folder)
    assert (found["."], found["tightrope.yaml"], found["m.onnx"]) == ("0o755", "0o644", "0o644")
    assert (found["tightrope.db"], found["rows"]) == ("0o600", "0o700")


def test_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """The first start makes it, with its own permissions."""
    restrict_state(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_file_of_another_user_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, and the start goes on; a folder that a volume brings along is no reason for one."""

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path), mode)

    monkeypatch.setattr(private_files.os, "chmod", refuse)
    with caplog.at_level(logging.WARNING):
        restrict_state(folder)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{folder}/tightrope.db")
    assert record.getMessage().endswith(f"and {len(NAMES) + 4} others of the state; run chmod go=")
