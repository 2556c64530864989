"""SVG elements for the diagrams of docs/: no library, no font file, a background of their own for dark pages."""

from collections.abc import Iterable
from html import escape

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 } .back { fill: #fff; stroke: #d0d7de }
  .soft { fill: #59636e } .title { font-size: 15px; font-weight: 600 }
  .code { font: 600 12.5px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #0550ae }
  .lane { stroke: #d0d7de } .band { fill: #f6f8fa } .way { fill: none; stroke: #0969da; stroke-width: 2 }
  .dot { fill: #0969da; stroke: #fff; stroke-width: 2 } .later { stroke: #9a6700; fill: none; stroke-width: 2 }
  .dot.later { fill: #9a6700; stroke: #fff } .box { fill: #f6f8fa; stroke: #818b98 }
  .topic { fill: #ddf4ff; stroke: #0969da } .head { fill: #0969da } .number { font-size: 11px }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #30363d } .soft { fill: #9198a1 } .code { fill: #79c0ff }
    .lane { stroke: #30363d } .band { fill: #161b22 } .way { stroke: #58a6ff } .head { fill: #58a6ff }
    .dot { fill: #58a6ff; stroke: #0d1117 } .later { stroke: #d29922 } .dot.later { fill: #d29922; stroke: #0d1117 }
    .box { fill: #161b22; stroke: #6e7681 } .topic { fill: #0c2d4d; stroke: #58a6ff }
  }"""


def picture(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """A whole SVG document on a background with a border."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    back = f'<rect class="back" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="6"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}\n</style>", back, *parts, "</svg>\n"])


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """One line of text; ``y`` is its baseline."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 6) -> str:
    """A rectangle with rounded corners."""
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def line(points: Iterable[tuple[float, float]], kind: str) -> str:
    """Straight pieces from point to point."""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:g},{y:g}" for x, y in points)}"/>'


def arrow(start: tuple[float, float], end: tuple[float, float]) -> list[str]:
    """A horizontal or vertical line with a head at its end."""
    (x1, y1), (x2, y2) = start, end
    dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    left, right = (x2 - 9 * dx - 5 * dy, y2 - 9 * dy - 5 * dx), (x2 - 9 * dx + 5 * dy, y2 - 9 * dy + 5 * dx)
    head = " ".join(f"{x:g},{y:g}" for x, y in (end, left, right))
    return [line([start, (x2 - 8 * dx, y2 - 8 * dy)], "way"), f'<polygon class="head" points="{head}"/>']
