"""`tightrope dashboards apply | render`: the dashboards to a Grafana, or to files."""

from pathlib import Path
from typing import Annotated

import typer

from tightrope.dashboards import GATEWAY, GRAFANA, RUNBOOK

app = typer.Typer(help="Dashboards, rules and alerts for Grafana and Prometheus.", no_args_is_help=True)

Address = Annotated[str, typer.Option("--grafana", help="The address of Grafana.", show_default=False)]


@app.command()
def apply(
    grafana: Address,
    token_file: Annotated[Path, typer.Option(help="A file with the token of a service account.", show_default=False)],
    prometheus: Annotated[
        str | None, typer.Option(help="Prometheus as Grafana reaches it; without it no data source is touched.")
    ] = None,
    folder: Annotated[str, typer.Option(help="The uid of the folder.")] = "tightrope",
) -> None:
    """Bring folder, data source and dashboards to what they should be; doing it again does no harm."""
    from tightrope.dashboards import boards
    from tightrope.dashboards.grafana import Grafana, GrafanaError, Target
    from tightrope.dashboards.grid import TAG
    from tightrope.service.config.loader import ConfigError, secret

    _insist_on_http("--grafana", grafana)
    if prometheus is not None:
        _insist_on_http("--prometheus", prometheus)
    told = Grafana(grafana.rstrip("/"), secret(token_file, "--token-file"))
    try:
        for step in told.apply(boards.boards(), TAG, prometheus, Target(folder=folder)):
            typer.echo(step)
    except GrafanaError as error:
        raise ConfigError([f"--grafana: {error}"]) from error


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(help="Where to write.", metavar="FOLDER", show_default=False)],
    grafana: Annotated[str, typer.Option(help="The address that alerts point to.")] = GRAFANA,
    runbook: Annotated[str, typer.Option(help="The page of the runbook that alerts point to.")] = RUNBOOK,
    gateway: Annotated[str, typer.Option(help="Tightrope's own address, for drift reports.")] = GATEWAY,
) -> None:
    """Write dashboards, recording rules and alerts as files, with your addresses in them."""
    from tightrope.dashboards import boards
    from tightrope.service.config.loader import ConfigError

    for name, address in (("--grafana", grafana), ("--runbook", runbook), ("--gateway", gateway)):
        _insist_on_http(name, address)
    try:
        written = boards.render(folder, grafana.rstrip("/"), runbook, gateway.rstrip("/"))
    except OSError as error:
        raise ConfigError([f"{error.filename or folder}: cannot be written: {error.strerror}"]) from error
    for path in written:
        typer.echo(path)


def _insist_on_http(option: str, address: str) -> None:
    from tightrope.service.config.loader import ConfigError

    if not address.startswith(("http://", "https://")):
        raise ConfigError([f"{option}: is {address!r}; it must begin with http:// or https://"])
