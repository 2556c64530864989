"""`tightrope init`: from two models to a configuration that `check` accepts."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption

if TYPE_CHECKING:
    from tightrope.offline.initialization.initialize import Initialized
    from tightrope.offline.initialization.proposal import Question

FILE = Path("tightrope.yaml")
"""The file that is written by default."""

ModelArgument = Annotated[Path, typer.Argument(help="ONNX file.", show_default=False)]


def init(
    baseline: ModelArgument,
    compressed: ModelArgument,
    data: Annotated[
        Path | None,
        typer.Option(help="Rows for limits: a CSV, .npz or .jsonl file, or a folder of .npy files."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; that of its file by default.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the first choice of each question.")] = False,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write; never overwritten.")] = FILE,
    json_: JsonOption = False,
) -> None:
    """Write a first configuration from two ONNX files."""
    from tightrope.monitors.records import Role
    from tightrope.offline.initialization.initialize import PairFiles, initialize

    files = {Role.BASELINE: baseline, Role.COMPRESSED: compressed}
    result = initialize(PairFiles(files, out, _first if yes else _ask, data, name, takes_first=yes))
    if json_:
        document = {"ok": True, "path": str(result.path), "model": result.name, "kind": result.kind.value}
        lines = {"found": result.found, "seen": result.seen, "warnings": result.warnings}
        typer.echo(json.dumps(document | lines))
    else:
        _print(result)


def _first(_: "Question") -> int:
    return 0


def _ask(question: "Question") -> int:
    """Ask on the terminal.

    Raises:
        ConfigError: where there is no terminal.
    """
    from tightrope.service.config.loader import ConfigError

    if not sys.stdin.isatty():
        choices = "; ".join(question.choices)
        raise ConfigError([f"{question.text} … ({choices}): ask for it on a terminal, or --yes takes the first"])
    typer.echo(question.text, err=True)
    for number, choice in enumerate(question.choices, start=1):
        typer.echo(f"  {number} {choice}", err=True)
    most = len(question.choices)
    while True:
        answer: str = typer.prompt(f"1 to {most}", default="1", err=True)
        if answer.isdecimal() and 1 <= int(answer) <= most:
            return int(answer) - 1


def _print(result: "Initialized") -> None:
    """Print what was found and seen, and what to do next."""
    from tightrope.cli import console

    for line in result.found:
        console.out.print(line, markup=False, highlight=False)
    console.print_status(f"kind {result.kind}", "", "bold")
    for line in result.seen:
        console.out.print(f"  {line}", markup=False, highlight=False)
    for line in result.warnings:
        console.print_error("warning", line)
    console.print_status("ok", f" {result.path}: written and checked")
    console.print_status("next", f" tightrope run {result.path}", "dim")


COMMANDS: tuple[Callable[..., Any], ...] = (init,)
