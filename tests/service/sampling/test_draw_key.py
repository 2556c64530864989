"""The key of the draws comes from the configuration, or stays in the state folder."""

from pathlib import Path

from tests.support.serving.model_pairs import sure_and_unsure
from tests.support.serving.service_harness import settings_of
from tightrope.service.sampling.draw_key import DRAW_FILE, draw_key


def test_key_of_a_state_folder_is_made_once(tmp_path: Path) -> None:
    """A restart draws the same samples of a retry, another folder others."""
    settings = settings_of(tmp_path, {"m": sure_and_unsure(tmp_path)}, state=str(tmp_path / "state"))
    request = "m", 0.0, "a", bytes(16)
    first = draw_key(settings).draw(*request)
    assert (tmp_path / "state" / DRAW_FILE).exists()
    assert draw_key(settings).draw(*request) == first
    (tmp_path / "state" / DRAW_FILE).unlink()
    assert draw_key(settings).draw(*request) != first
