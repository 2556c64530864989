"""`tightrope sweep`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption
from tightrope.cli.offline_commands import DataArgument, ModelOption
from tightrope.offline.sweep.goal import Goal

FolderArgument = Annotated[
    Path, typer.Argument(help="The variants: its *.onnx files.", metavar="FOLDER", show_default=False)
]


def sweep(
    config: ConfigArgument,
    data: DataArgument,
    folder: FolderArgument,
    model: ModelOption = None,
    goal: Annotated[
        Goal, typer.Option("--for", help="Recommend the qualified variant with the least of this.")
    ] = Goal.SIZE,
    criteria: Annotated[
        str | None, typer.Option(help="Judge by these of CONFIG's criteria alone: NAME,NAME.", show_default=False)
    ] = None,
    make: Annotated[
        str | None,
        typer.Option(help="Make these in FOLDER first: dynamic,static,fp16,prune:0.3:0.9.", show_default=False),
    ] = None,
    hotspots: Annotated[
        bool, typer.Option("--hotspots", help="Also change one tensor of the baseline at a time.")
    ] = False,
    page: Annotated[Path | None, typer.Option(help="Write the result as a page: P.html.", show_default=False)] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Seconds for the whole run.")] = None,
    json_: JsonOption = False,
) -> None:
    """Judge many compressed models of one baseline, and recommend one."""
    from tightrope.cli import console
    from tightrope.cli.progress_bar import show_progress
    from tightrope.cli.sweep.sweep_table import print_sweep
    from tightrope.offline.qualification.outcome import EXIT_CODES
    from tightrope.offline.sweep import sweep as sweeping
    from tightrope.offline.sweep.making.recipes import read_recipes
    from tightrope.offline.sweep.outcome import sweep_document
    from tightrope.offline.sweep.page.document import write_page
    from tightrope.service.config.loader import load

    names = [name.strip() for name in (criteria or "").split(",") if name.strip()]
    recipes = [] if make is None else read_recipes(make)
    options = sweeping.SweepOptions(goal=goal, criteria=names, seconds=seconds, recipes=recipes, hotspots=hotspots)
    with show_progress(console.err, json_=json_) as progress:
        report = sweeping.sweep(load(config), data, model, folder, options, progress)
    if page is not None:
        write_page(report, page)
    if json_:
        typer.echo(json.dumps(sweep_document(report)))
    else:
        print_sweep(report, console.out, page)
    raise typer.Exit(EXIT_CODES[report.verdict])


COMMANDS: tuple[Callable[..., Any], ...] = (sweep,)
