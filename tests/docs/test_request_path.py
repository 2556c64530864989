from pathlib import Path

from docs import request_path, sample_path
from tests.house.sources import ROOT
from tightrope.service.adapters.topics import ALL_TOPICS


def test_modules_of_the_diagrams_exist() -> None:
    """A module that is renamed or removed is renamed or removed in its diagram."""
    modules = [*request_path.MODULES, *(module for stop in sample_path.SAMPLE_PATH for module in stop.modules)]
    assert [module for module in modules if not (ROOT / module).is_file()] == []


def test_request_enters_each_module_once() -> None:
    """The list has the order of first entry, so no module occurs twice; tests/service compares it with a trace."""
    assert len(set(request_path.MODULES)) == len(request_path.MODULES)


def test_lanes_are_rooms() -> None:
    """Every lane is a folder, and every folder that a request passes has its lane."""
    folders = [
        Path("service", lane) if (ROOT / "service" / lane).is_dir() else Path(lane) for lane in request_path.LANES
    ]
    assert all((ROOT / folder).is_dir() for folder in folders)
    assert [m for m in request_path.MODULES if not any(Path(m).is_relative_to(f) for f in folders)] == [
        "service/outbox.py"
    ]


def test_topics_of_the_diagram_exist() -> None:
    """The topics between the processes are topics of the bus."""
    assert set(sample_path.TOPICS) <= set(ALL_TOPICS)


def test_text_fits_its_column() -> None:
    """No line is longer than its column: DejaVu Sans, a wide system font, needs at most 6.9 pixels a character here."""
    step_width = request_path.WIDTH - request_path.TEXT - request_path.NAME
    assert [step.does for step in request_path.REQUEST_PATH if 6.9 * len(step.does) > step_width] == []
    lines = [words for stop in sample_path.SAMPLE_PATH for words in stop.does]
    assert [words for words in lines if 6.9 * len(words) > sample_path.BOX - 12] == []
