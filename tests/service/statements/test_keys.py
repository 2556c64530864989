from pathlib import Path

import pytest

from tests.support.key_files import write_key
from tightrope.service.statements import keys
from tightrope.service.statements.examination import NO_TRUST
from tightrope.service.statements.keys import TrustError, load_trust


def test_keys_are_read_by_role(tmp_path: Path) -> None:
    """One approval is needed where no number is written."""
    ana, bo = (write_key(tmp_path, name, number)[1] for number, name in enumerate(("ana", "bo")))
    trust = load_trust({"owner": [ana, bo], "reviewer": [ana]}, {"owner": 2})
    assert {role: [key.name for key in read] for role, read in trust.keys.items()} == {
        "owner": ["ana", "bo"],
        "reviewer": ["ana"],
    }
    assert trust.needed == {"owner": 2, "reviewer": 1}


def test_key_that_is_listed_twice_is_one(tmp_path: Path) -> None:
    """Under another file name too, so that one person is not two approvals."""
    ana, twin = (write_key(tmp_path, name, 1)[1] for name in ("ana", "twin"))
    with pytest.raises(TrustError) as error:
        load_trust({"owner": [ana, twin]}, {"owner": 2})
    assert error.value.problems == ["approvals.owner is 2, but keys.owner has 1 different keys"]
    assert len(load_trust({"owner": [ana, twin]}, {"owner": 1}).keys["owner"]) == 1


def test_every_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its role."""
    with pytest.raises(TrustError) as error:
        load_trust({"owner": [tmp_path / "a"], "reviewer": [tmp_path / "b"]}, {"owner": 1})
    assert error.value.problems == [
        f"keys.owner: {tmp_path}/a: cannot be read: No such file or directory",
        f"keys.reviewer: {tmp_path}/b: cannot be read: No such file or directory",
    ]


def test_keys_without_the_extra_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never skipped; a configuration without keys needs nothing."""
    monkeypatch.setattr(keys, "has_extra", lambda: False)
    with pytest.raises(TrustError) as error:
        load_trust({"owner": [tmp_path / "a"]}, {})
    assert error.value.problems == ["keys: signatures need more: pip install 'tightrope[signed]'"]
    assert load_trust({}, {}) is NO_TRUST
