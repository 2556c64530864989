"""`tightrope qualify`."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption
from tightrope.cli.offline_commands import ModelOption

NO_DATA = "is missing; only --plan and --from-samples need none"
NEEDLESS_DATA = "is given; --from-samples takes kept rows in its place"

if TYPE_CHECKING:
    from tightrope.offline.progress import Progress
    from tightrope.offline.qualification.qualify import QualificationReport, QualifyOptions
    from tightrope.service.adapters.attestation.ed25519 import SigningKey
    from tightrope.service.config.loader import Settings


RowsArgument = Annotated[
    Path | None,
    typer.Argument(
        help="Rows: DATA.csv, .npz, .parquet, .jsonl of requests, or a folder of .npy files.",
        metavar="DATA",
        show_default=False,
    ),
]
SamplesOption = Annotated[
    bool, typer.Option("--from-samples", help="Judge today's models on kept rows of traffic, not on DATA.")
]
SamplesSinceOption = Annotated[
    str | None, typer.Option(help="With --from-samples, take the rows since then: 7d ago, or a time (UTC).")
]
MembersOption = Annotated[
    Path | None,
    typer.Option(help="Rows of the training, as DATA has them: also measure what the models tell about them."),
]
StressOption = Annotated[
    bool, typer.Option("--stress", help="Also measure scenarios, one core, and concurrent callers.")
]


def qualify(
    config: ConfigArgument,
    data: RowsArgument = None,
    model: ModelOption = None,
    from_samples: SamplesOption = False,
    since: SamplesSinceOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Print the criteria and their digest; read no data.")] = False,
    expect: Annotated[str | None, typer.Option(help="Refuse criteria with another digest.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Seconds for the whole run.")] = None,
    stress: StressOption = False,
    members: MembersOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the bundle here, not beside the compressed model.")] = None,
    key: Annotated[Path | None, typer.Option(help="Sign with this private key: Ed25519, PEM.")] = None,
    json_: JsonOption = False,
) -> None:
    """Judge a pair by criteria fixed in advance, and write the statement."""
    from tightrope.cli import console
    from tightrope.cli.people.options import moment
    from tightrope.cli.progress_bar import show_progress
    from tightrope.cli.qualification_table import print_report
    from tightrope.offline.qualification.outcome import EXIT_CODES, document_of
    from tightrope.offline.qualification.qualify import QualifyOptions, qualify
    from tightrope.service.config.loader import load

    settings, begin = load(config), moment(since, "--since")
    if since is not None and not from_samples:
        raise typer.BadParameter("needs --from-samples", param_hint="--since")
    if plan:
        _print_plan(settings, model, expect, json_=json_)
        return
    if (data is None) is not from_samples:
        raise typer.BadParameter(NO_DATA if data is None else NEEDLESS_DATA, param_hint="DATA")
    options = QualifyOptions(expect, seconds, stress, out, _signer(key), members=members)
    with show_progress(console.err, json_=json_) as progress:
        if data is None:
            report = _qualify_samples(settings, model, begin, options, progress)
        else:
            report = qualify(settings, data, model, options, progress)
    if json_:
        typer.echo(json.dumps(document_of(report)))
    else:
        print_report(report, console.out)
    raise typer.Exit(EXIT_CODES[report.verdict])


def _print_plan(settings: "Settings", model: str | None, expect: str | None, *, json_: bool) -> None:
    from tightrope.offline.pair_evaluation import load_pair
    from tightrope.offline.qualification.criteria import plan_criteria
    from tightrope.offline.qualification.outcome import document_of_plan
    from tightrope.offline.qualification.qualify import require_digest

    criteria = plan_criteria(load_pair(settings, model), settings)
    require_digest(criteria, expect)
    typer.echo(json.dumps(document_of_plan(criteria), indent=None if json_ else 2))


def _qualify_samples(
    settings: "Settings", model: str | None, begin: float | None, options: "QualifyOptions", progress: "Progress"
) -> "QualificationReport":
    """Judge the models that serve now, also those that were deployed, on their kept rows."""
    from tightrope.offline.pair_evaluation import load_pair
    from tightrope.offline.qualification.qualify import qualify_rows
    from tightrope.offline.qualification.samples.kept_samples import kept_samples
    from tightrope.wiring.deployer import with_deployed

    settings = with_deployed(settings)
    pair = load_pair(settings, model)
    source = kept_samples(settings, pair, -math.inf if begin is None else begin)
    return qualify_rows(settings, pair, source, options, progress)


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
