"""`tightrope qualify`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption
from tightrope.cli.offline_commands import ModelOption

if TYPE_CHECKING:
    from tightrope.service.adapters.attestation.ed25519 import SigningKey


def qualify(
    config: ConfigArgument,
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Rows: DATA.csv, .npz, .parquet, .jsonl of requests, or a folder of .npy files.",
            metavar="DATA",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the criteria and their digest; read no data.")] = False,
    expect: Annotated[str | None, typer.Option(help="Refuse criteria with another digest.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Seconds for the whole run.")] = None,
    stress: Annotated[
        bool, typer.Option("--stress", help="Also measure scenarios, one core, and concurrent callers.")
    ] = False,
    members: Annotated[
        Path | None,
        typer.Option(help="Rows of the training, as DATA has them: also measure what the models tell about them."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the bundle here, not beside the compressed model.")] = None,
    key: Annotated[Path | None, typer.Option(help="Sign with this private key: Ed25519, PEM.")] = None,
    json_: JsonOption = False,
) -> None:
    """Judge a pair by criteria fixed in advance, and write the statement."""
    from tightrope.cli import console
    from tightrope.cli.progress_bar import show_progress
    from tightrope.cli.qualification_table import print_report
    from tightrope.offline.pair_evaluation import load_pair
    from tightrope.offline.qualification.criteria import plan_criteria
    from tightrope.offline.qualification.outcome import EXIT_CODES, document_of, document_of_plan
    from tightrope.offline.qualification.qualify import QualifyOptions, qualify, require_digest
    from tightrope.service.config.loader import load

    settings = load(config)
    if plan:
        criteria = plan_criteria(load_pair(settings, model), settings)
        require_digest(criteria, expect)
        typer.echo(json.dumps(document_of_plan(criteria), indent=None if json_ else 2))
        return
    if data is None:
        raise typer.BadParameter("is missing; only --plan needs none", param_hint="DATA")
    options = QualifyOptions(expect, seconds, stress, out, _signer(key), members=members)
    with show_progress(console.err, json_=json_) as progress:
        report = qualify(settings, data, model, options, progress)
    if json_:
        typer.echo(json.dumps(document_of(report)))
    else:
        print_report(report, console.out)
    raise typer.Exit(EXIT_CODES[report.verdict])


def _signer(key: Path | None) -> "SigningKey | None":
    """The private key in a file; without the extra `signed` nothing can be signed."""
    if key is None:
        return None
    from tightrope.service.config.loader import ConfigError
    from tightrope.service.statements.keys import NEEDS_SIGNED, has_extra

    if not has_extra():
        raise ConfigError([f"--key: {NEEDS_SIGNED}"])
    from tightrope.service.adapters.attestation.ed25519 import load_private_key

    return load_private_key(key)


COMMANDS: tuple[Callable[..., Any], ...] = (qualify,)
