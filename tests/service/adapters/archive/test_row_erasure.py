from pathlib import Path

from tests.support.judgement.compared_rows import KEEPING, ArchiveFolder, compared_batch
from tightrope.service.adapters.archive.row_erasure import erase_kept_rows, files_without_identity


def test_erased_rows_leave_nothing(tmp_path: Path) -> None:
    """Neither record nor inputs; their neighbours stay, and rows of an earlier version are named."""
    batch = compared_batch(0, 10, offset=list(range(10)))
    batch.inputs[4]["word"][0, 0] = "the secret of a person, longer than a column of the report may ever be, and more"  # type: ignore[index]
    ArchiveFolder(tmp_path, reference=2).put(batch)
    (old := tmp_path / "m/0000000099.rows").write_bytes(b"{}\n")
    digest = KEEPING.digest("0-4")
    assert any(b"secret of a person" in path.read_bytes() for path in tmp_path.rglob("*.inputs"))
    assert erase_kept_rows(tmp_path, digest) == {"m": 1}
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"secret of a person" not in content
    assert digest.encode() not in content
    assert content.count(KEEPING.digest("0-5").encode()) == 1
    assert files_without_identity(tmp_path) == [old]
