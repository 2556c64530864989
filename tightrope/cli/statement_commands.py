"""Commands about signed statements: `tightrope manifest | approve | verify | card`."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tightrope.cli.cluster_commands import ConfigArgument, JsonOption
from tightrope.cli.offline_commands import ModelOption

if TYPE_CHECKING:
    from tightrope.offline.statements.verification import Verified

REFUSED_EXIT = 3
STANDARD_OUTPUT = "-"

BundleArgument = Annotated[
    Path, typer.Argument(help="The bundle, MODEL.onnx.intoto.jsonl.", metavar="FILE", show_default=False)
]
KeyOption = Annotated[Path, typer.Option("--key", help="Private key: Ed25519, PEM, mode 0600.", show_default=False)]
OnnxArgument = Annotated[Path, typer.Argument(help="The artefact.", metavar="MODEL.onnx", show_default=False)]
OutOption = Annotated[Path | None, typer.Option(help="File to write, - for standard output; beside MODEL by default.")]
StateOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="State folder with the events of a card; CONFIG's by default.")
]


def manifest(
    model: OnnxArgument,
    recipe: Annotated[list[str], typer.Option(help="KEY=VALUE, such as technique=distillation, bits=8.")] = [],  # noqa: B006 - typer copies it
    tool: Annotated[list[str], typer.Option(help="NAME=VERSION of a tool that made it.")] = [],  # noqa: B006 - as above
    baseline: Annotated[Path | None, typer.Option(help="The model that was compressed.")] = None,
    data: Annotated[list[Path], typer.Option(help="A file of training or calibration data.")] = [],  # noqa: B006
    cyclonedx: Annotated[bool, typer.Option("--cyclonedx", help="Write a CycloneDX 1.6 ML-BOM instead.")] = False,
    out: OutOption = None,
) -> None:
    """Write how an artefact was made: digests, recipe, tools, data."""
    from tightrope.cli import console
    from tightrope.offline.statements import manifest as manifests
    from tightrope.offline.statements.bill_of_materials import bill_of_materials

    read = manifests.read_manifest(model, recipe, tool, baseline, data)
    document = bill_of_materials(read) if cyclonedx else manifests.provenance(read)
    content = manifests.encode_document(document)
    path = out or model.with_suffix(".cdx.json" if cyclonedx else ".manifest.json")
    if str(path) == STANDARD_OUTPUT:
        typer.echo(content, nl=False)
        return
    manifests.write_document(path, content)
    console.print_status(
        "written", f" {path}: {len(read.files)} file{'s' * (len(read.files) > 1)}, digest {read.digest}"
    )


def approve(
    file: BundleArgument,
    key: KeyOption,
    role: Annotated[str, typer.Option(help="The role to approve in, as in CONFIG's keys.", show_default=False)],
    note: Annotated[str | None, typer.Option(help="Approve, with this note.", show_default=False)] = None,
    dissent: Annotated[str | None, typer.Option(help="Dissent, with this note.", show_default=False)] = None,
    accept: Annotated[list[str], typer.Option(help="CELL=REASON for a cell that did not pass.")] = [],  # noqa: B006
    serve: Annotated[bool, typer.Option("--serve", help="Serve the accepted scopes; else they are withheld.")] = False,
    json_: JsonOption = False,
) -> None:
    """Sign an approval of a statement, or a dissent from it."""
    from tightrope.cli import console
    from tightrope.offline.statements.opinion import new_opinion, write_opinion
    from tightrope.service.statements.text import one_line

    text = note if dissent is None else dissent
    if (note is None) == (dissent is None) or not (text or "").strip():
        raise typer.BadParameter("give one of --note and --dissent, with a text")
    opinion = new_opinion(role, text or "", datetime.now(UTC), dissents=dissent is not None, serve=serve)
    written = write_opinion(file, key, opinion, accept)
    predicate = written.about.statement.predicate
    if json_:
        digests = {"statement": written.about.digest, "opinion": written.digest}
        typer.echo(json.dumps({"ok": True, "file": str(file), "decision": opinion.decision, "role": role, **digests}))
        return
    subject = one_line(written.about.statement.subject[0].name)
    until = f"until {predicate.made.expires.astimezone(UTC).date()}"
    word = "approved" if note is not None else "dissented"
    about = f"{subject}, verdict {predicate.result.verdict}, {until}, statement {written.about.digest[:8]}.."
    console.print_status(word, f" as {role}: {about}")


def verify(
    config: ConfigArgument,
    model: ModelOption = None,
    at: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"], help="Judge for this time in UTC.")
    ] = None,
    card: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Compute every figure of this card again instead.")
    ] = None,
    state: StateOption = None,
    json_: JsonOption = False,
) -> None:
    """Say whether the statements let the models serve; exit 0 or 3."""
    from tightrope.cli import console
    from tightrope.offline.statements import verification
    from tightrope.service.config.loader import load

    if card is not None:
        _verify_card(config, card, state, json_=json_)
        return
    now = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    verified = verification.verify(load(config), model, now)
    holds = all(each.holds for each in verified.values())
    if json_:
        typer.echo(json.dumps({"ok": holds, "models": _verified_json(verified)}))
    for each in () if json_ else verified.values():
        for line in each.lines:
            console.print_status("refused", f" {line}", "bold red")
        if each.holds:
            console.print_status("ok", f" {each.key}: {each.file}: {verification.summary(each.examination)}")
    raise typer.Exit(0 if holds else REFUSED_EXIT)


def _verify_card(config: Path, file: Path, state: Path | None, *, json_: bool) -> None:
    from tightrope.cli import console
    from tightrope.offline.card.verification import verify_card
    from tightrope.service.config.loader import load

    verified = verify_card(load(config), file, state=state)
    if json_:
        document = {"ok": not verified.faults, "file": str(file), "model": verified.model, "faults": [*verified.faults]}
        typer.echo(json.dumps(document))
    for fault in () if json_ else verified.faults:
        console.print_status("differs", f" {file}: {fault}", "bold red")
    if not verified.faults and not json_:
        console.print_status("ok", f" {file}: {verified.figures:,} sources of {verified.model}, no figure differs")
    raise typer.Exit(REFUSED_EXIT if verified.faults else 0)


def card(
    config: ConfigArgument,
    model: ModelOption = None,
    state: StateOption = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write here, not beside the artefact.")] = None,
    json_: JsonOption = False,
) -> None:
    """Write the public card of a model: what compression changed, and for whom."""
    from tightrope.cli import console
    from tightrope.offline.card.write import write_card
    from tightrope.service.config.loader import load

    paths = write_card(load(config), model, datetime.now(UTC), state=state, out=out)
    if json_:
        typer.echo(json.dumps({"ok": True, "files": [str(path) for path in paths]}))
    for path in () if json_ else paths:
        console.print_status("wrote", f" {path}")


def _verified_json(verified: "Mapping[str, Verified]") -> dict[str, Any]:
    from tightrope.offline.statements.verification import describe_judgement

    return {name: describe_judgement(each) for name, each in verified.items()}


COMMANDS: tuple[Callable[..., Any], ...] = (manifest, approve, verify, card)
