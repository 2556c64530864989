"""`tightrope status`: what is so, and what to do, from a running gateway."""

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption
from tightrope.cli.people.options import OptionalConfig, TokenFileOption, UrlOption, gateway_of, is_piped, require_model

if TYPE_CHECKING:
    from tightrope.offline.running_gateway import RunningGateway

LEVEL_EXIT_CODES = {"ok": 0, "note": 0, "act": 3, "blind": 4}
NO_ANSWER = 5
PAGE_MODELS = 50
RATE_SECONDS = 1.2
"""Time after which a gateway that was not asked before knows its requests a second."""


def status(
    context: typer.Context,
    config: OptionalConfig = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    model: Annotated[str | None, typer.Option(help="Show this model only.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every group, not the worst ones.")] = False,
    json_: JsonOption = False,
) -> None:
    """Say what is so and what to do; exit 0 all well, 3 act, 4 blind, 5 no answer."""
    from tightrope.cli import console
    from tightrope.cli.people import status_table
    from tightrope.offline.running_gateway import NoReplyError

    if config is not None and model is not None:
        require_model(config, model)
    gateway = gateway_of(context, config, url, token_file)
    try:
        overview = read_overview(gateway, model)
    except NoReplyError as error:
        console.print_error("no answer", f"{error}; look at the gateway's own health first")
        raise typer.Exit(NO_ANSWER) from None
    if json_:
        typer.echo(json.dumps(overview))
    elif is_piped():
        typer.echo(f"{overview['headline']} {overview['sentence']}", err=True)
        for line in status_table.status_lines(overview):
            typer.echo(line)
    else:
        status_table.print_status(overview, every=every)
    raise typer.Exit(LEVEL_EXIT_CODES[overview["level"] if model is None else overview["models"][0]["level"]])


def read_overview(gateway: "RunningGateway", model: str | None = None) -> Mapping[str, Any]:
    """The overview of all models, or of one, with the requests a second; ``models`` has all of them.

    Raises:
        NoReplyError: when the gateway does not answer.
        RefusedRequestError: when the model is not served.
    """
    overview = dict(gateway.get("/v1/overview", model=model, limit=PAGE_MODELS))
    if any(each["traffic"]["requests_per_second"] is None for each in overview["models"]):
        time.sleep(RATE_SECONDS)
        overview = dict(gateway.get("/v1/overview", model=model, limit=PAGE_MODELS))
    while model is None and len(overview["models"]) < len(overview["cards"]):
        page = gateway.get("/v1/overview", limit=PAGE_MODELS, offset=len(overview["models"]))["models"]
        if not page:
            break
        overview["models"] = [*overview["models"], *page]
    return overview
