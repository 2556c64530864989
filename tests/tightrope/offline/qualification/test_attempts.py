from pathlib import Path

from tightrope.offline.qualification.attempts import ATTEMPTS_FILE, add_attempt, earlier_attempts
from tightrope.offline.qualification.stages import FOLDER
from tightrope.service.statements.qualification import AttemptRecord


def test_attempts_on_the_same_rows_are_listed(tmp_path: Path) -> None:
    """In their order; those on other rows, and damaged lines, are not among them."""
    attempts = [AttemptRecord(criteria_digest=f"sha256:{d * 64}", artefacts=["a" * 64], verdict="breach") for d in "12"]
    assert earlier_attempts(tmp_path, "rows") == []
    for attempt in attempts:
        add_attempt(tmp_path, "rows", attempt)
    add_attempt(tmp_path, "other rows", attempts[0])
    with (tmp_path / FOLDER / ATTEMPTS_FILE).open("ab") as file:
        file.write(b"{damaged\n")
    assert earlier_attempts(tmp_path, "rows") == attempts
