"""A secret is made once, is readable by its user only, and never stops a start; a given one must be safe."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tightrope.service.adapters.secret_file import kept_secret, shared_secret

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


def test_shared_secret_is_read_without_white_space(tmp_path: Path) -> None:
    """As `openssl rand -hex 32` and an editor write it; its group may read it, as Kubernetes mounts secrets."""
    path = tmp_path / "secret"
    path.write_bytes(b"  " + b"5e" * 32 + b"\r\n")
    for mode in (0o400, 0o440, 0o600, 0o640):
        path.chmod(mode)
        assert shared_secret(path) == b"5e" * 32


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o666, 0o777])
def test_shared_secret_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    """The reason has the command that corrects it."""
    path = tmp_path / "secret"
    path.write_text("5e" * 32)
    path.chmod(mode)
    with pytest.raises(
        ValueError, match=rf"other users may read or change it \(mode {mode:04o}\); run chmod 600 {path}"
    ):
        shared_secret(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "holds 0 bytes; at least 32 are needed, as `openssl rand -hex 32` prints"),
        (b"x" * 31 + b" \n", "holds 31 bytes"),
        (b"\xef\xbb\xbf" + b"5e" * 32, "begins with a byte-order mark"),
        (("5e" * 32).encode("utf-16"), "begins with a byte-order mark"),
        (b"\x80" * 40, "is not ASCII"),
        (b"5e\n" * 32, "has a control character or a second line"),
    ],
)
def test_short_shared_secret_is_refused(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """The reason has the length and not the content."""
    path = tmp_path / "secret"
    if content is not None:
        path.touch(mode=0o600)
        path.write_bytes(content)
    with pytest.raises(ValueError, match=reason) as caught:
        shared_secret(path)
    assert "xxx" not in str(caught.value)
