"""A secret is made once, is readable by its user only, and never stops a start."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tightrope.service.adapters.secret_file import kept_secret

SIZE = 32


def test_secret_is_made_once(tmp_path: Path) -> None:
    """Later starts read the same one; its file is readable by this user only, and nothing else is left."""
    path = tmp_path / "state" / "draw.secret"
    secret = kept_secret(path, SIZE)
    assert len(secret) == SIZE
    assert kept_secret(path, SIZE) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["draw.secret"]


def test_processes_that_start_at_once_share_one(tmp_path: Path) -> None:
    """The first file stays."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        secrets = [pool.submit(kept_secret, tmp_path / "s", SIZE) for pool in (one, other, one, other)]
        assert len({secret.result() for secret in secrets[2:]}) == 1


@pytest.mark.parametrize("content", ["", "zz" * SIZE, "00" * (SIZE - 1)])
def test_damaged_secret_is_replaced_for_this_process(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the file and what it should hold, not its content."""
    path = tmp_path / "draw.secret"
    path.write_text(content)
    assert len({kept_secret(path, SIZE) for _ in range(2)}) == 2
    assert f"{path}: does not hold 64 hexadecimal digits; another secret is used" in caplog.text
    assert not content or content not in caplog.text


def test_folder_that_cannot_be_used_does_not_stop_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Sampling goes on with a secret in memory."""
    (tmp_path / "state").write_text("a file")
    assert len(kept_secret(tmp_path / "state" / "draw.secret", SIZE)) == SIZE
    assert "another secret is used until this process ends" in caplog.text
