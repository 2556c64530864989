"""docs/serving.svg: requests/s of each server under each load, relative to the minimal batching server. The SVG is
written without a library and needs no fonts.
"""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, TOP, LINE, BAR = 860, 170, 74, 24, 14
FULL, MAX_SHARE = 1.0, 1.35
"""Shares at the dashed line and at the end of a column; longer bars are cut there."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .back { fill: #fff; stroke: #d0d7de }
  .soft { fill: #59636e } .ours { fill: #0969da } .other { fill: #9a6700; opacity: .75 } .minimal { fill: #818b98 }
  .full { stroke: #818b98; stroke-dasharray: 3 4 } .name.ours { font-weight: 600 } .name.other { opacity: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .back { fill: #0d1117; stroke: #30363d } .soft { fill: #9198a1 }
    .ours { fill: #58a6ff } .other { fill: #d29922 } .minimal { fill: #9198a1 } .full { stroke: #9198a1 }
  }"""

Shares = Mapping[str, float]
"""By load: requests/s relative to the minimal batching server."""


def svg(loads: Sequence[str], servers: Mapping[str, Shares], ours: Sequence[str], minimal: Sequence[str]) -> str:
    """The picture: a row for each server, a column for each load."""
    column = (WIDTH - LEFT - 20) / max(1, len(loads))
    height = TOP + LINE * len(servers) + 18
    parts = [f'<rect class="back" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>']
    parts.append(_text(20, 26, "requests/s relative to raw_mb0 (dashed), one process, in turns", "", "start"))
    for index, load in enumerate(loads):
        x = LEFT + index * column
        dash = x + FULL / MAX_SHARE * (column - 44)
        parts += [_text(x, TOP - 14, load, "soft", "start")]
        parts += [f'<line class="full" x1="{dash:.1f}" y1="{TOP - 6}" x2="{dash:.1f}" y2="{height - 12}"/>']
    for number, (name, shares) in enumerate(servers.items()):
        kind = "ours" if name in ours else "minimal" if name in minimal else "other"
        y = TOP + number * LINE
        parts.append(_text(LEFT - 12, y + BAR - 2, name, f"name {kind}", "end"))
        for index, load in enumerate(loads):
            if load in shares:
                parts += _bar(LEFT + index * column, y, column - 44, shares[load], kind)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">'
    title = "<title>Requests/s of each server under each load, relative to a minimal server</title>"
    return "\n".join([head, title, f"<style>{STYLE}\n</style>", *parts, "</svg>\n"])


def _bar(x: float, y: float, wide: float, share: float, kind: str) -> list[str]:
    length = max(1.0, min(share, MAX_SHARE) / MAX_SHARE * wide)
    bar = f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
    return [bar, _text(x + length + 4, y + BAR - 3, f"{share:.0%}", "soft", "start")]


def _text(x: float, y: float, content: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
