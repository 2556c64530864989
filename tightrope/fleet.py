"""The commands of a cluster: `tightrope topics`."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from service.settings import load
from tightrope import topics as kafka_topics

out, err = Console(), Console(stderr=True)

Config = Annotated[Path, typer.Argument(help="The YAML configuration file.", metavar="CONFIG", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def topics(
    config: Config,
    check: Annotated[bool, typer.Option("--check", help="Make nothing, only say what is not as it should be.")] = False,
    json_: Json = False,
) -> None:
    """Make the Kafka topics that CONFIG needs, where they are missing, and say what is not as it should be."""
    found = kafka_topics.topics(load(config), check=check)
    if json_:
        typer.echo(json.dumps({"ok": not found.differences, **asdict(found)}))
    for name in found.topics if not json_ else ():
        out.print(Text.assemble((name, "bold"), "  made" if name in found.made else ""), soft_wrap=True)
    for line in found.differences if not json_ else ():
        err.print(Text.assemble(("differs", "bold red"), f" {line}"), soft_wrap=True)
    if found.differences:
        raise typer.Exit(1)


COMMANDS: tuple[Callable[..., Any], ...] = (topics,)
