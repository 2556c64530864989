"""A card as one HTML file: no script, no address outside, and a policy that forbids both.

Sources: W3C Content Security Policy Level 3 (hashes of inline styles); WCAG 2.2.
"""

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from tightrope.offline.card.blocks import CardContent, CardTable, Sentence, printable

STYLE_FILE = Path(__file__).with_name("card.css")
STAMP_NAME = "tightrope-card"
TONE_SIGNS = {"good": "●", "bad": "▲", "open": "◆"}
"""A sign beside each colour: the tone is told by its shape, too."""

_DIGEST = re.compile("[0-9a-f]{64}")
"""A text that may be cut into lines anywhere."""


def card_page(content: CardContent) -> str:
    """The file card.html."""
    style = STYLE_FILE.read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f'<meta name="{STAMP_NAME}" content="{escape(content.stamp)}">',
        f"<title>{_text(content.title)}</title>",
        f"<style>{style}</style></head>",
        "<body>",
        "<header>",
        f"<h1>{_text(content.title)}</h1>",
        *map(_sentence, content.lead),
        "</header>",
        "<main>",
    ]
    for section in content.sections:
        lines += ["<section>", f"<h2>{_text(section.title)}</h2>"]
        for block in section.blocks:
            lines += _table(block) if isinstance(block, CardTable) else [_sentence(block)]
        lines.append("</section>")
    return "\n".join([*lines, "</main>", "</body>", "</html>", ""])


def _sentence(sentence: Sentence) -> str:
    sign = f'<span class="sign" aria-hidden="true">{TONE_SIGNS[sentence.tone]}</span> ' if sentence.tone else ""
    tone = f' class="{sentence.tone}"' if sentence.tone else ""
    return f"<p{tone}>{sign}{_text(sentence.text)}{_tags(sentence.sources)}</p>"


def _table(table: CardTable) -> Iterator[str]:
    """A table whose rows stand as blocks on a phone. The roles say that it is one, for there it is laid out as none."""
    sources = any(row.sources for row in table.rows)
    caption = _text(table.caption)
    yield f'<div class="table" role="region" aria-label="{caption}" tabindex="0">'
    yield f'<table role="table"><caption>{caption}</caption>'
    columns = [*table.head, *(["source"] if sources else [])]
    head = [
        f'<th role="columnheader" scope="col"{_class(table, index)}>{_text(name)}</th>'
        for index, name in enumerate(columns)
    ]
    yield f'<thead role="rowgroup"><tr role="row">{"".join(head)}</tr></thead><tbody role="rowgroup">'
    for row in table.rows:
        sign = f'<span class="sign" aria-hidden="true">{TONE_SIGNS[row.tone]}</span> ' if row.tone else ""
        first, *others = row.cells
        cells = [f'<th role="rowheader" scope="row">{sign}{_text(first)}</th>']
        cells += [
            f'<td role="cell" data-name="{_text(table.head[index])}"{_class(table, index, cell)}>{_text(cell)}</td>'
            for index, cell in enumerate(others, 1)
        ]
        last = f'<td role="cell">{_tags(row.sources)}</td>' if sources else ""
        tone = f' class="{row.tone}"' if row.tone else ""
        yield f'<tr role="row"{tone}>{"".join(cells)}{last}</tr>'
    yield "</tbody></table></div>"


def _class(table: CardTable, index: int, cell: str = "") -> str:
    if _DIGEST.fullmatch(cell):
        return ' class="digest"'
    return ' class="number"' if index in table.numbers else ""


def _tags(sources: Sequence[str]) -> str:
    return "".join(f" <small>[{_text(source)}]</small>" for source in sources)


def _text(text: str) -> str:
    return escape(printable(text))
