"""The real demo in real terminals, at once in a small and in a large one."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.commands import COMMAND_TIMEOUT_SECONDS, command, environment
from tests.support.configs import ROOT
from tightrope.demo.replay import traffic
from tightrope.demo_run.board import scope_name

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
NAMES = {"everybody", *(scope_name(scope) for row in traffic() for scope in row.scopes)}
JARGON = re.compile(r"scope|breach|latched|baseline|compressed|e-value|10\^|…\w|\w…", re.IGNORECASE)


@contextmanager
def _demo_in_tmux(program: str, socket: Path, width: int, height: int) -> Iterator[list[str]]:
    """Run the demo with all acts in a terminal of this size; the block gets the command that speaks to the terminal."""
    tmux = [program, "-u", "-f", "/dev/null", "-S", str(socket)]
    demo = shlex.join(command("demo", "--fast", "--no-prologue", "--third-act"))
    ended = shlex.join([*tmux, "wait-for", "-S", "ended"])
    size = ["-x", str(width), "-y", str(height)]
    start = [*tmux, "new-session", "-d", *size, f"{demo}; {ended}; exec cat"]
    try:
        subprocess.run(start, check=True, cwd=ROOT, env=environment())
        yield tmux
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """The lines on the screen after the demo, for each size."""
    program = shutil.which("tmux")
    if program is None:
        pytest.skip("tmux is missing: apt-get install tmux")
    folder = tmp_path_factory.mktemp("tmux")
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(_demo_in_tmux(program, folder / name, *size)) for name, size in SIZES.items()
        }
        shown = {}
        for name, tmux in running.items():
            subprocess.run([*tmux, "wait-for", "ended"], check=True, timeout=COMMAND_TIMEOUT_SECONDS)
            page = subprocess.run([*tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True).stdout
            shown[name] = page.rstrip("\n").split("\n")
        yield shown


@pytest.fixture(params=SIZES)
def screen(request: pytest.FixtureRequest, screens: dict[str, list[str]]) -> list[str]:
    """The lines on the screen of one size."""
    return screens[request.param]


def _inside(screen: list[str]) -> list[str]:
    return [line.strip("│").rstrip() for line in screen if line.startswith("│")]


def _below(screen: list[str]) -> str:
    """The text below the picture, in one line."""
    (end,) = (number for number, line in enumerate(screen) if line.startswith("╰"))
    return " ".join(" ".join(screen[end + 1 :]).split())


def test_whole_picture_stays_on_the_screen(screen: list[str]) -> None:
    """Its frame is whole, and the first line is the title with the last request."""
    assert "request 18,000 of 18,000, 100 % compared" in screen[0]
    assert (screen[0][0], screen[0][-1]) == ("╭", "╮")


def test_no_name_of_a_group_is_cut(screens: dict[str, list[str]]) -> None:
    """Each line of the table begins with the whole name of a group; a large terminal shows more of them."""
    counts = {}
    for size, screen in screens.items():
        rows = [re.match(r" [ ■] (.*?) +(?:small|FULL) ", line) for line in _inside(screen)]
        names = [row[1] for row in rows if row]
        assert names[0] == "everybody"
        assert {*names} <= NAMES
        (rest,) = (re.search(r"… (\d+) more ", line) for line in _inside(screen) if "…" in line)
        assert rest is not None
        assert len(names) + int(rest[1]) == len(NAMES)
        counts[size] = len(names)
    assert 2 < counts["80x24"] < counts["120x40"]


def _has_line(screen: list[str], pattern: str) -> bool:
    return any(re.match(pattern, line) for line in _inside(screen))


def test_story_lines_are_visible(screen: list[str]) -> None:
    """At which request the full model took over, another model came, and the group went back."""
    assert _has_line(screen, r" [\d,]+ +group quarters to the full model: \d+ % \(.* %\) of answers differ$")
    assert _has_line(screen, r" [\d,]+ +institution to the full model: the small model is much less sure for")
    assert _has_line(screen, r" 12,001 another small model is put in place$")
    assert _has_line(screen, r" 1\d,\d{3} group quarters back to the small model: ")


def test_it_ends_in_plain_sentences_with_its_own_figures(screen: list[str]) -> None:
    """The requests in the first sentence are those of the story."""
    sentences = re.fullmatch(
        r"The small model was right \d+ % of the time for group quarters and \d+ % for institution; since requests "
        r"([\d,]+) and ([\d,]+) the full model answers them, and they get \d+ % and \d+ %\. "
        r"Everybody else stayed on the small model, 27 times smaller\. "
        r"Tightrope compared 12,000 answers and raised two alarms\. "
        r"Then another small model came: it answers group quarters since request [\d,]+.*\.",
        _below(screen),
    )
    assert sentences is not None, _below(screen)
    assert _has_line(screen, rf" {sentences[1]} +group quarters to the full model")
    assert _has_line(screen, rf" {sentences[2]} +institution to the full model")


def test_no_word_needs_an_explanation(screen: list[str]) -> None:
    """The words are those of people, but for the names of models in the title."""
    assert [line for line in screen[1:] if JARGON.search(line)] == []
