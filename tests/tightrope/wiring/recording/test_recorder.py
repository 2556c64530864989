import stat
from pathlib import Path

import pytest

from tests.support.judgement.recorded import RecordedJudge
from tightrope.service.config.loader import Settings
from tightrope.wiring.recording.recorder import build_recorder, current_versions


def test_nothing_is_recorded_where_the_configuration_says_so(tmp_path: Path) -> None:
    """With `record: null` there is no recorder, and no key."""
    settings = RecordedJudge(tmp_path).settings()
    assert build_recorder(settings.model_copy(update={"record": None}), ["m"]) is None
    assert not (tmp_path / "ids.secret").exists()


def test_the_key_of_ids_is_kept(tmp_path: Path) -> None:
    """Every process of a state folder has the same key, in a file that only its user reads."""
    settings = RecordedJudge(tmp_path).settings()
    first, second = (build_recorder(settings, ["m"]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first._redactions["m"] == second._redactions["m"]
    assert (first._redactions["m"].columns, first._redactions["m"].ids) == ({"*": "drop"}, "hash")
    assert stat.S_IMODE((tmp_path / "ids.secret").stat().st_mode) == 0o600


def test_sizes_are_written_as_people_write_them() -> None:
    """`most_bytes: 2GB` is two thousand million; `redact: none` keeps columns."""
    models = {"m": {"baseline": "b", "compressed": "c", "redact": "none"}}
    settings = Settings.model_validate({"models": models, "record": {"most_bytes": "2GB"}})
    assert settings.record is not None
    assert (settings.record.most_bytes, settings.models["m"].redact.columns) == (2_000_000_000, {"*": "keep"})


@pytest.mark.parametrize("name", ["tightrope", "python", "numpy", "msgspec"])
def test_versions_name_all_that_the_fold_depends_on(name: str) -> None:
    """Each is a number of a release."""
    assert current_versions()[name][0].isdigit()
