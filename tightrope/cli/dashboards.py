"""`tightrope dashboards apply | render`: send the dashboards to a Grafana, or write them to files."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from tightrope.dashboards import GATEWAY, GRAFANA, RUNBOOK

app = typer.Typer(help="Dashboards, rules and alerts for Grafana and Prometheus.", no_args_is_help=True)

GrafanaOption = Annotated[str, typer.Option("--grafana", help="Address of Grafana.", show_default=False)]


LabelOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A label by which installations are told apart, besides cluster and namespace; with =VALUE the rules "
        "select this one. Repeatable.",
        metavar="NAME[=VALUE]",
        show_default=False,
    ),
]


@app.command()
def apply(
    grafana: GrafanaOption,
    token_file: Annotated[Path, typer.Option(help="File with the token of a service account.", show_default=False)],
    prometheus: Annotated[
        str | None, typer.Option(help="Prometheus as Grafana reaches it; without it no data source is changed.")
    ] = None,
    folder: Annotated[str, typer.Option(help="Uid of the folder.")] = "tightrope",
    label: LabelOption = None,
) -> None:
    """Create or update the folder, the data source and the dashboards; can be repeated."""
    from tightrope.wiring.paging import require_grafana_library

    require_grafana_library("--grafana")

    from tightrope.dashboards import boards
    from tightrope.dashboards.grafana import Grafana, GrafanaError, Target
    from tightrope.dashboards.grid import DASHBOARD_TAG
    from tightrope.service.config.loader import ConfigError, secret

    _require_http("--grafana", grafana)
    if prometheus is not None:
        _require_http("--prometheus", prometheus)
    labels = tuple(_labels(label))
    client = Grafana(grafana.rstrip("/"), secret(token_file, "--token-file"))
    try:
        for step in client.apply(boards.boards(labels), DASHBOARD_TAG, prometheus, Target(folder=folder)):
            typer.echo(step)
    except GrafanaError as error:
        raise ConfigError([f"--grafana: {error}"]) from error


@app.command()
def render(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.", metavar="FOLDER", show_default=False)],
    grafana: Annotated[str, typer.Option(help="Address of Grafana for links in alerts.")] = GRAFANA,
    runbook: Annotated[str, typer.Option(help="Address of the runbook for links in alerts.")] = RUNBOOK,
    gateway: Annotated[str, typer.Option(help="Address of Tightrope for links to drift reports.")] = GATEWAY,
    label: LabelOption = None,
) -> None:
    """Write dashboards, recording rules and alerts to files, with your addresses."""
    from tightrope.dashboards import boards
    from tightrope.service.config.loader import ConfigError

    for name, address in (("--grafana", grafana), ("--runbook", runbook), ("--gateway", gateway)):
        _require_http(name, address)
    try:
        written = boards.render(folder, grafana.rstrip("/"), runbook, gateway.rstrip("/"), _labels(label))
    except OSError as error:
        raise ConfigError([f"{error.filename or folder}: cannot be written: {error.strerror}"]) from error
    for path in written:
        typer.echo(path)


def _labels(given: Sequence[str] | None) -> Mapping[str, str]:
    """The labels of an installation, by name."""
    from tightrope.dashboards.installation import LABEL_PATTERN, split_labels
    from tightrope.service.config.loader import ConfigError

    for text in given or ():
        if not re.fullmatch(LABEL_PATTERN, text):
            raise ConfigError([f"--label: is {text!r}; it must be NAME or NAME=VALUE, such as namespace=production"])
    return split_labels(given or ())


def _require_http(option: str, address: str) -> None:
    from tightrope.service.config.loader import ConfigError

    if not address.startswith(("http://", "https://")):
        raise ConfigError([f"{option}: is {address!r}; it must begin with http:// or https://"])
