"""`tightrope letter`: the week for those who decide, from a running gateway, as HTML, plain text or JSON."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tightrope.cli.people.options import OptionalConfig, TokenFileOption, UrlOption, gateway_of

FORMATS = (".html", ".txt", ".json")


def letter(
    context: typer.Context,
    config: OptionalConfig = None,
    url: UrlOption = None,
    token_file: TokenFileOption = None,
    week: Annotated[
        str | None, typer.Option(help="The week, such as 2026-W48; this one if left out.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write to this file, .html, .txt or .json.", metavar="FILE", show_default=False)
    ] = None,
) -> None:
    """Write the week's letter: harm, savings, the cost of safety, decisions."""
    if out is not None and out.suffix not in FORMATS:
        raise typer.BadParameter(f"--out: is {str(out)!r}; it must end with {', '.join(FORMATS)}")
    name = week or _this_week()
    document = gateway_of(context, config, url, token_file).get(f"/v1/weeks/{name}")
    text = _writer(".txt" if out is None else out.suffix)(document)
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise typer.BadParameter(f"--out: {out} cannot be written: {error.strerror}") from None
    typer.echo(f"{out}: {document['title']}, {document['dates']}")


def _this_week() -> str:
    year, number, _ = datetime.now(UTC).isocalendar()
    return f"{year:04d}-W{number:02d}"


def _writer(suffix: str) -> Callable[[Mapping[str, Any]], str]:
    """The function that makes the text of a file."""
    from tightrope.service.api.letter.page import week_page
    from tightrope.service.api.letter.text import week_text

    writers: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
        ".html": week_page,
        ".txt": week_text,
        ".json": lambda document: json.dumps(document, indent=2) + "\n",
    }
    return writers[suffix]
