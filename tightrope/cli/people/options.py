"""Options of commands that ask a running gateway: CONFIG or --url, never both."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tightrope.offline.running_gateway import RunningGateway

URL_VARIABLE = "TIGHTROPE_URL"

OptionalConfig = Annotated[
    Path | None,
    typer.Argument(help="The gateway's configuration file, unless --url is given.", metavar="[CONFIG]"),
]
UrlOption = Annotated[
    str | None, typer.Option(envvar=URL_VARIABLE, help="The gateway's address, in place of CONFIG.", show_default=False)
]
TokenFileOption = Annotated[
    Path | None, typer.Option(help="The file with the gateway's control token.", show_default=False)
]

ONE_OF_BOTH = f"give the gateway's configuration file CONFIG, or its address with --url or {URL_VARIABLE}"
_AGES = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def chosen_url(context: typer.Context, config: Path | None, url: str | None) -> str | None:
    """The address if one is to be used. A configuration file outweighs the variable; both together, or neither, are a
    mistake in the call.
    """
    source = context.get_parameter_source("url")
    if config is not None and source is not None and source.name == "ENVIRONMENT":
        url = None
    if (config is None) == (url is None):
        raise typer.BadParameter(ONE_OF_BOTH)
    return url


def gateway_of(
    context: typer.Context, config: Path | None, url: str | None, token_file: Path | None
) -> "RunningGateway":
    """The gateway that a command asks."""
    from tightrope.offline.running_gateway import RunningGateway

    return RunningGateway.of(config, chosen_url(context, config, url), token_file)


def require_model(config: Path, model: str) -> None:
    """Check a model's name before the gateway is asked.

    Raises:
        ConfigError: when the configuration has no such model.
    """
    from tightrope.service.config.loader import ConfigError, load

    if model not in (models := load(config).models):
        raise ConfigError([f"--model: {model!r} is none of {', '.join(models)}"])


def split_words(words: Sequence[str], names: Sequence[str], *, has_url: bool) -> tuple[Path | None, list[str]]:
    """Split arguments into CONFIG, which is missing with an address, and one for each of ``names``."""
    wanted = len(names) + (not has_url)
    if len(words) != wanted:
        shown = " ".join(names if has_url else ("CONFIG", *names))
        raise typer.BadParameter(f"give {shown}{'' if has_url else ', or --url URL and no CONFIG'}")
    return (None, list(words)) if has_url else (Path(words[0]), list(words[1:]))


def moment(text: str | None, name: str, now: datetime | None = None) -> float | None:
    """A time in seconds since the epoch: an age as 90s, 15m, 2h, 3d or 1w, or a time of ISO 8601 (UTC without an
    offset); None without a text.

    >>> moment("2h", "--since", datetime(1970, 1, 1, 3, tzinfo=UTC))
    3600.0
    """
    if text is None:
        return None
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text):
        age = timedelta(**{_AGES[found[2]]: float(found[1])})
        return ((now or datetime.now(UTC)) - age).timestamp()
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        wanted = "an age as 2h, or a time as 2026-11-30T12:00"
        raise typer.BadParameter(f"{name}: is {text!r}; it must be {wanted}") from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def is_piped() -> bool:
    """Whether the output is read by a program."""
    return not sys.stdout.isatty()


def printable(text: str) -> str:
    r"""The text on one line, without characters that would steer a terminal.

    >>> printable("a\tb\x1b[31m")
    'a b [31m'
    """
    return "".join(each if each.isprintable() else " " for each in text)


def tsv_line(cells: Sequence[object]) -> str:
    r"""A line of tab-separated values; tabs and line breaks within one become spaces, and None an empty cell.

    >>> tsv_line(["a", None, "b c"])
    'a\t\tb c'
    """
    return "\t".join("" if cell is None else printable(str(cell)) for cell in cells)
