"""`tightrope verify --card`: a card is made again from its sources, and every line that differs is named.

How it works. The card has a stamp: the model, the time, the statement's digest and the latest event. With these the
same sources give the same card, so a line that differs was altered, or its source was.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import SequenceMatcher
from html import unescape
from pathlib import Path

import msgspec

from tightrope.offline.card.blocks import printable
from tightrope.offline.card.content import PROGRAM, build_card, stamped_time
from tightrope.offline.card.markdown import STAMP_MARK, card_markdown
from tightrope.offline.card.page import STAMP_NAME, card_page
from tightrope.offline.card.sources import CardError, read_sources
from tightrope.service.config.loader import Settings

MOST_CARD_BYTES = 16 << 20
MOST_CHARACTERS = 100
"""Characters of a line that a message repeats."""

_STAMPS = (
    re.compile(rf"<!-- {STAMP_MARK}(\{{.*?\}}) -->"),
    re.compile(rf'<meta name="{STAMP_NAME}" content="(\{{.*?\}})">'),
)
_TAG = re.compile(r"\[[qmaec]:[^\]]*\]")
_MARKUP = re.compile(r"<[^>]*>|\\(?=[^\w\s])|\*\*|\|")


class CardStamp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The facts by which a card is made again: ``events`` is the number of the latest one."""

    at: str
    by: str
    events: int
    model: str
    statement: str


@dataclass(frozen=True, slots=True)
class VerifiedCard:
    """The result: how many lines bear ``figures`` with sources, and a line for each fault."""

    model: str
    figures: int
    faults: Sequence[str]


def verify_card(settings: Settings, file: Path, *, state: Path | None = None) -> VerifiedCard:
    """Make a card again and compare it, line by line.

    Raises:
        CardError: when the file is no card, or its sources cannot be read.
    """
    text = _read(file)
    stamp, at = _stamp(file, text)
    if stamp.model not in settings.models:
        raise CardError(f"{file}: is about {printable(stamp.model)!r}, which is not in the configuration")
    sources = read_sources(settings, stamp.model, at, state=state, last_event=stamp.events)
    if stamp.by != PROGRAM:
        return VerifiedCard(
            stamp.model, 0, [f"was made by {printable(stamp.by)}, and this is {PROGRAM}: make it again"]
        )
    if sources.signed.digest != stamp.statement:
        newer = f"is about the statement {printable(stamp.statement)[:8]}.., but that of these files is"
        return VerifiedCard(stamp.model, 0, [f"{newer} {sources.signed.digest[:8]}.."])
    content = build_card(sources)
    expected = card_page(content) if _is_page(text) else card_markdown(content)
    return VerifiedCard(stamp.model, len(_TAG.findall(expected)), [*_faults(text.split("\n"), expected.split("\n"))])


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_CARD_BYTES + 1)
        if len(content) > MOST_CARD_BYTES:
            raise CardError(f"{file}: is larger than {MOST_CARD_BYTES >> 20} MiB")
        return content.decode()
    except OSError as error:
        raise CardError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CardError(f"{file}: is no card: it is not UTF-8") from error


def _is_page(text: str) -> bool:
    return text.startswith("<!doctype html>")


def _stamp(file: Path, text: str) -> tuple[CardStamp, datetime]:
    found = _STAMPS[_is_page(text)].search(text)
    if found is None:
        raise CardError(f"{file}: is no card of `tightrope card`: its stamp is missing")
    try:
        stamp = msgspec.json.decode(unescape(found[1]).encode(), type=CardStamp)
        return stamp, stamped_time(stamp.at)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CardError(f"{file}: its stamp cannot be read: {printable(str(error))}") from error


def _faults(lines: Sequence[str], expected: Sequence[str]) -> Iterator[str]:
    """A line for each line of a card that is not the expected one."""
    for kind, begin, end, first, last in SequenceMatcher(None, lines, expected, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        pairs = min(end - begin, last - first)
        for offset in range(pairs):
            yield f"line {begin + offset + 1}: {_difference(lines[begin + offset], expected[first + offset])}"
        for number in range(begin + pairs, end):
            yield f"line {number + 1}: is in no source: {_short(_plain(lines[number]))}"
        for wanted in expected[first + pairs : last]:
            yield f"after line {end}: is missing: {_short(_plain(wanted))}"


def _difference(line: str, expected: str) -> str:
    ours, theirs = _plain(line).split(), _plain(expected).split()
    for kind, begin, end, first, last in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind != "equal":
            sources = " ".join(_TAG.findall(_unescaped(expected))) or "its source"
            says, gives = _short(" ".join(ours[begin:end])), _short(" ".join(theirs[first:last]))
            return f"says {says}, but {sources} gives {gives}"
    return "has other markup"


def _plain(line: str) -> str:
    """The words of a line, without markup."""
    return unescape(_MARKUP.sub(" ", line))


def _unescaped(line: str) -> str:
    return unescape(re.sub(r"\\(?=[^\w\s])|<[^>]*>", "", line))


def _short(text: str) -> str:
    shown = " ".join(printable(text).split())
    return (shown if len(shown) <= MOST_CHARACTERS else f"{shown[:MOST_CHARACTERS]}..") or "nothing"
