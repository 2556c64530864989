"""The secret of a state folder is made once; a process without one has its own."""

import stat
from pathlib import Path

from tightrope.service.adapters.audit.key_files import KEY_FILE, keys_beside, keys_of_process


def test_secret_is_kept_beside_the_state(tmp_path: Path) -> None:
    """Readable by its user only."""
    keys = keys_beside(tmp_path / "tightrope.db")
    assert keys == keys_beside(tmp_path / "other.db")
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert keys.secret.hex() not in repr(keys)


def test_process_has_keys_of_its_own() -> None:
    """They differ from those of any other."""
    assert keys_of_process() != keys_of_process()
