"""`tightrope force-safe | force-normal | release | deploy | rollback`: orders to a running gateway, with a preview."""

import getpass
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import JsonOption
from tightrope.cli.people.options import TokenFileOption, UrlOption, gateway_of, is_piped, split_words

if TYPE_CHECKING:
    from tightrope.offline.running_gateway import RunningGateway

ReasonOption = Annotated[str, typer.Option(help="Why, for the audit trail.", show_default=False)]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
OrderActorOption = Annotated[
    str | None, typer.Option(help="Your name for the audit trail; the login name if left out.", show_default=False)
]
CONFIG_FILE = "The gateway's configuration file, unless --url is given"
WORDS_HELP = f"{CONFIG_FILE}; then the model, and the scope: model, or attribute=value."
ScopeWords = Annotated[list[str], typer.Argument(help=WORDS_HELP, metavar="[CONFIG] MODEL SCOPE", show_default=False)]


def _order_command(kind: str, summary: str) -> Callable[..., None]:
    """The command of an order about a scope."""

    def command(
        context: typer.Context,
        words: ScopeWords,
        reason: ReasonOption,
        url: UrlOption = None,
        token_file: TokenFileOption = None,
        yes: YesOption = False,
        actor: OrderActorOption = None,
        json_: JsonOption = False,
    ) -> None:
        from tightrope.cli.people.previews import order_preview
        from tightrope.cli.people.status import read_overview

        (model, scope), gateway = _addressed(context, words, ("MODEL", "SCOPE"), url, token_file)
        if not yes:
            shown = read_overview(gateway, model)["models"][0]
            entry = next((each for each in (shown["everyone"], *shown["groups"]) if each["scope"] == scope), None)
            preview = order_preview(kind, entry) if entry else f"Nothing is known of {scope} yet."
            _confirm(f"{scope} of {model}: {preview}", yes=yes, json_=json_)
        _print(_send(gateway, model, kind, {"scope": scope}, reason, actor), json_=json_)

    command.__name__, command.__doc__ = kind.replace("-", "_"), summary
    return command


force_safe = _order_command("force-safe", "Let the full model answer a scope until it is released.")
force_normal = _order_command("force-normal", "Let the small model answer a scope until it is released.")
release = _order_command("release", "Give a scope back to the monitors.")


def deploy(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            help=f"{CONFIG_FILE}; then the model, and the file, on the gateway's machine.",
            metavar="[CONFIG] MODEL FILE",
            show_default=False,
        ),
    ],
    reason: ReasonOption,
    role: Annotated[str, typer.Option(help="The role of the file: compressed or baseline.")] = "compressed",
    qualification: Annotated[
        str | None, typer.Option(help="The file's statement of qualification, if not beside it.", show_default=False)
    ] = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    actor: OrderActorOption = None,
    json_: JsonOption = False,
) -> None:
    """Put another model file in place while requests are served."""
    (model, file), gateway = _addressed(context, words, ("MODEL", "FILE"), url, token_file)
    _confirm(f"This replaces the {role} model of {model} with {file}, once it has been tried.", yes=yes, json_=json_)
    body = {"path": file, "role": role} | ({"qualification": qualification} if qualification else {})
    _print(_send(gateway, model, "deploy", body, reason, actor), json_=json_)


def rollback(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(help=f"{CONFIG_FILE}; then the model.", metavar="[CONFIG] MODEL", show_default=False),
    ],
    reason: ReasonOption,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    yes: YesOption = False,
    actor: OrderActorOption = None,
    json_: JsonOption = False,
) -> None:
    """Go back to the model files before the last deployment."""
    (model,), gateway = _addressed(context, words, ("MODEL",), url, token_file)
    _confirm(f"This puts the files of {model} before the last deployment in place again.", yes=yes, json_=json_)
    _print(_send(gateway, model, "rollback", {}, reason, actor), json_=json_)


def _addressed(
    context: typer.Context, words: list[str], names: tuple[str, ...], url: str | None, token_file: Path | None
) -> tuple[list[str], "RunningGateway"]:
    """The words after CONFIG, and the gateway. With one word more than needed the variable's address does not count."""
    source = context.get_parameter_source("url")
    if len(words) > len(names) and source is not None and source.name == "ENVIRONMENT":
        url = None
    config, others = split_words(words, names, has_url=url is not None)
    return others, gateway_of(context, config, url, token_file)


def _confirm(preview: str, *, yes: bool, json_: bool) -> None:
    """Show what an order does, and ask; without a terminal the order needs --yes."""
    if yes:
        return
    if json_ or is_piped():
        raise typer.BadParameter("--yes is missing, and without a terminal there is no way to ask")
    typer.echo(preview)
    typer.confirm("Go on?", abort=True)


def _send(
    gateway: "RunningGateway", model: str, kind: str, body: Mapping[str, object], reason: str, actor: str | None
) -> Mapping[str, Any]:
    from tightrope.offline.running_gateway import DEPLOYMENT_SECONDS, REPLY_SECONDS

    seconds = DEPLOYMENT_SECONDS if kind in {"deploy", "rollback"} else REPLY_SECONDS
    whole = {**body, "reason": reason, "actor": actor or getpass.getuser()}
    return gateway.order(f"/v1/models/{model}/{kind}", whole, seconds)


def _print(answer: Mapping[str, Any], *, json_: bool) -> None:
    from tightrope.cli.people.previews import order_outcome

    typer.echo(json.dumps(answer) if json_ else order_outcome(answer))
