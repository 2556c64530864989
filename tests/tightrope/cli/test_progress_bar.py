import io
import os
import pty
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.commands import COMMAND_TIMEOUT_SECONDS, command, environment
from tests.support.configs import ROOT
from tightrope.cli.progress_bar import ProgressBar, show_progress
from tightrope.offline.progress import NO_PROGRESS

DATA = (ROOT / "demo" / "tightrope.yaml", ROOT / "demo" / "data" / "golden.csv")


def screen() -> tuple[Console, io.StringIO]:
    """Return a terminal of 80 columns, and what is written to it."""
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=80), file


def test_bar_shows_the_current_step() -> None:
    """One line, whose width fits the terminal, and which is erased at the end."""
    console, file = screen()
    bar = ProgressBar(console, quiet_seconds=0)
    for step in ("one", "other"):
        bar.begin(step, 4)
        bar.advance(3)
    bar.stop()
    text = file.getvalue()
    assert "one" in text
    assert "other" in text
    assert "75%" in text
    assert text.count("\n") == 1
    assert text.endswith("\x1b[2K")


def test_short_run_has_no_bar() -> None:
    """Nothing is written, not even to hide a cursor."""
    console, file = screen()
    bar = ProgressBar(console)
    bar.begin("one", 1)
    bar.advance()
    bar.stop()
    assert file.getvalue() == ""


def test_pipe_has_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither has JSON on a terminal; a bar needs both outputs to be one."""
    for json_, out, err in ((False, True, False), (False, False, True), (True, True, True)):
        monkeypatch.setattr("sys.stdout.isatty", lambda out=out: out)
        monkeypatch.setattr("sys.stderr.isatty", lambda err=err: err)
        with show_progress(screen()[0], json_=json_) as progress:
            assert progress is NO_PROGRESS
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with show_progress(screen()[0], json_=False) as progress:
        assert isinstance(progress, ProgressBar)


def on_a_terminal(*arguments: str | Path) -> str:
    """Run `tightrope` on a terminal of 80 columns until it ends; return what it writes there."""
    own, its = pty.openpty()
    variables = environment(COLUMNS="80", LINES="24", TERM="xterm")
    process = subprocess.Popen(command(*arguments), stdin=its, stdout=its, stderr=its, cwd=ROOT, env=variables)
    os.close(its)
    written = b""
    try:
        while part := os.read(own, 65536):
            written += part
    except OSError:  # the end, as Linux says it
        pass
    finally:
        os.close(own)
    assert process.wait(COMMAND_TIMEOUT_SECONDS) == 0
    return written.decode()


def test_long_run_shows_its_steps_on_a_terminal(tmp_path: Path) -> None:
    """The bar is gone before the result is printed. The rows are there ten times, so that no machine is too fast."""
    head, *rows = DATA[1].read_text().splitlines()
    (tmp_path / "rows.csv").write_text("\n".join([head, *rows * 10]))
    text = on_a_terminal("limits", DATA[0], tmp_path / "rows.csv")
    assert "finding the limits" in text
    last = text.rindex("finding the limits")
    assert last < text.index("employment on 40,000 rows")
    assert "\x1b[2K" in text[last : text.index("employment on 40,000 rows")]
