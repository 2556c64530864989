"""A card as Markdown, with the front matter of Hugging Face's model cards.

Sources: Hugging Face Hub, model cards (`base_model_relation`, `model-index`); CommonMark 0.31 (backslash escapes).
"""

import json
import re
from collections.abc import Iterator, Sequence

from tightrope.offline.card.blocks import CardContent, CardTable, FrontMatter, Sentence, printable

STAMP_MARK = "tightrope-card: "
_SPECIAL = re.compile(r"[\\`*{}\[\]#|!~$]|(?<![^\W_])_|_(?![^\W_])")


def card_markdown(content: CardContent) -> str:
    """The file card.md."""
    lines = [
        *_front_lines(content.front),
        "",
        f"<!-- {STAMP_MARK}{content.stamp} -->",
        "",
        f"# {_text(content.title)}",
        "",
    ]
    lines += [line for sentence in content.lead for line in (_sentence(sentence), "")]
    for section in content.sections:
        lines += [f"## {_text(section.title)}", ""]
        for block in section.blocks:
            lines += [*(_table(block) if isinstance(block, CardTable) else [_sentence(block)]), ""]
    return "\n".join(lines)


def _front_lines(front: FrontMatter) -> Iterator[str]:
    yield "---"
    yield f"base_model: {_quoted(front.base_model)}"
    yield "base_model_relation: quantized"
    yield "library_name: onnx"
    if front.license is not None:
        yield f"license: {_quoted(front.license)}"
    yield "tags: [onnx, compression, tightrope]"
    yield "model-index:"
    yield f"- name: {_quoted(front.model)}"
    yield "  results:"
    yield "  - task: {type: other, name: keeping the answers of the uncompressed model}"
    yield f"    dataset: {{type: private, name: {_quoted(front.dataset)}}} # [q:data.sha256]"
    yield "    metrics:" + ("" if front.metrics else " []")
    for kind, name, value, source in front.metrics:
        yield f"    - {{type: {_quoted(kind)}, name: {_quoted(name)}, value: {value!r}}} # [{source}]"
    yield "---"


def _quoted(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)


def _sentence(sentence: Sentence) -> str:
    bold = "**" if sentence.tone == "bad" else ""
    return " ".join([f"{bold}{_text(sentence.text)}{bold}", *_tags(sentence.sources)])


def _table(table: CardTable) -> Iterator[str]:
    sources = any(row.sources for row in table.rows)
    head = [*table.head, *(["source"] if sources else [])]
    yield f"| {' | '.join(map(_text, head))} |"
    yield f"|{'|'.join('---:' if index in table.numbers else '---' for index in range(len(head)))}|"
    for row in table.rows:
        cells = [*map(_text, row.cells), *([" ".join(_tags(row.sources))] if sources else [])]
        yield f"| {' | '.join(cells)} |"


def _tags(sources: Sequence[str]) -> list[str]:
    return [f"[{_text(source)}]" for source in sources]


def _text(text: str) -> str:
    """The text with all that Markdown or HTML would read escaped; an address is no link."""
    escaped = _SPECIAL.sub(r"\\\g<0>", printable(text))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#47;/")
