"""Elements of HTML and SVG as text; every text and every attribute is escaped."""

from collections.abc import Iterable
from html import escape

VOID = {"meta", "line", "rect", "circle", "path", "polyline"}
"""Elements without content."""


class Markup(str):
    """Text that is markup already; any other text is escaped where it becomes content."""

    __slots__ = ()


def element(name: str, /, *content: object, **attributes: object) -> Markup:
    """An element with content: markup, texts, and lists of both. The attribute ``class_`` is `class`, other underscores
    are hyphens; an attribute that is None is left out.

    >>> element("p", "a < b", class_="note", aria_label=None)
    '<p class="note">a &lt; b</p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>" if name == "meta" else f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{joined(content)}</{name}>")


def joined(content: Iterable[object]) -> Markup:
    """Several pieces of content, one after the other."""
    return Markup("".join(_text(each) for each in content))


def _text(content: object) -> str:
    if isinstance(content, Markup):
        return content
    if isinstance(content, list | tuple):
        return joined(content)
    return "" if content is None else escape(str(content))
