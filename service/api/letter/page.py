"""The week as one HTML file: no script, no address outside, and a policy that forbids both.

Sources: W3C Content Security Policy Level 3 (hashes of inline styles); WCAG 2.2.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from tightrope.service.api.letter import content
from tightrope.service.api.letter.chart import chart
from tightrope.service.api.week.iso_week import Week

WEEK_STYLE_FILE = Path(__file__).with_name("week.css")


@cache
def week_style() -> str:
    """The style sheet."""
    return WEEK_STYLE_FILE.read_text()


@cache
def week_policy() -> str:
    """The content security policy of the page: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(week_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def week_page(document: Mapping[str, Any], *, links: bool = False) -> str:
    """The page of an answer about a week; with ``links`` to the weeks around it where a gateway serves it."""
    title = f"{document['title']}, {document['dates']}"
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(week_policy())}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>{_text(title)}</title>",
        f"<style>{week_style()}</style></head>",
        "<body>",
        *(_links(document) if links else ()),
        "<header>",
        f"<h1>{_text(document['title'])} <small>{_text(document['dates'])}</small></h1>",
        *_paragraphs(document["summary"]),
        "</header>",
        "<main>",
    ]
    for model in document["models"]:
        lines += _model(model)
    lines += _decisions(document["decisions"])
    lines += ["<section><figure>", f"<figcaption><h2>{content.CHART_TITLE}</h2></figcaption>"]
    lines += [chart(document["weeks"]), "</figure></section>", "</main>"]
    return "\n".join([*lines, f"<footer><p>{_text(content.MODELS_NOTE)}</p></footer>", "</body>", "</html>", ""])


def _links(document: Mapping[str, Any]) -> Iterator[str]:
    week = Week.parse(document["week"])
    before, after = week.shifted(-1), week.shifted(1)
    yield '<nav aria-label="Weeks">'
    yield '<a href="./">Tightrope</a>'
    yield f'<a href="week?week={before.name}">← {before.name}</a>'
    if document["complete"]:
        yield f'<a href="week?week={after.name}">{after.name} →</a>'
    yield f'<a href="v1/weeks/{week.name}">As JSON</a></nav>'


def _model(model: Mapping[str, Any]) -> Iterator[str]:
    yield f'<section class="{"harm" if model["harm"]["answer"] == "yes" else "calm"}">'
    yield f"<h2>{_text(content.model_title(model))}</h2>"
    yield '<div class="answers">'
    for question, says in content.answers(model):
        yield f"<article><h3>{_text(question)}</h3>"
        yield from _sentences(says)
        yield "</article>"
    yield "</div></section>"


def _sentences(says: Sequence[str]) -> Iterator[str]:
    """The sentences; those behind one that ends with a colon are a list."""
    items: list[str] | None = None
    for sentence in says:
        if items is not None:
            items.append(sentence)
        else:
            yield f"<p>{_text(sentence)}</p>"
            items = [] if sentence.endswith(":") else None
    if items:
        yield f"<ul>{''.join(f'<li>{_text(each)}</li>' for each in items)}</ul>"


def _decisions(decisions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"<section><h2>{content.DECISIONS_TITLE}</h2>"
    if decisions:
        heads = "".join(f'<th scope="col">{name}</th>' for name in content.DECISION_COLUMNS)
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        yield from map(_decision, decisions)
        yield "</tbody></table>"
    else:
        yield f"<p>{content.NO_DECISION}</p>"
    yield "</section>"


def _decision(each: Mapping[str, Any]) -> str:
    cells = (each["owner"] or content.NO_OWNER, each["due"], content.signature(each))
    names = content.DECISION_COLUMNS[1:]
    shown = "".join(
        f'<td data-name="{name}">{_text(cell) or "<span class=quiet>not yet</span>"}</td>'
        for name, cell in zip(names, cells, strict=True)
    )
    key = f"<small>{_text(each['id'])}</small>"
    return f'<tr><th scope="row">{_text(each["says"])} {key}</th>{shown}</tr>'


def _paragraphs(says: Sequence[str]) -> Iterator[str]:
    yield from (f"<p>{_text(each)}</p>" for each in says)


def _text(text: str) -> str:
    return escape(content.printable(text))
