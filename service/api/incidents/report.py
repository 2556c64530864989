"""The report of an incident: one page of HTML without scripts, which prints well and asks no network for anything."""

from html import escape

from tightrope.service.adapters.journal.incident import Incident
from tightrope.service.api.incidents.words import move_sentence, scope_words, utc_time

REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The content security policy that the page itself has; nothing but its own style is used."""

REPORT_STYLE = """:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; line-height: 1.2 } h2 { font-size: 1.1em; margin-top: 2em }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25em 1.5em } dt { font-weight: 600 } dd { margin: 0 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .4em .8em .4em 0; border-bottom: 1px solid #8886 }
td:first-child { white-space: nowrap; font-variant-numeric: tabular-nums }
@media print { body { margin: 0; max-width: none; font-size: 11pt } tr { break-inside: avoid } }
"""


def report_page(incident: Incident) -> bytes:
    """The report as a page in UTF-8. The same incident gives the same bytes."""
    facts = {
        "Model": incident.model,
        "Began": f"{utc_time(incident.opened)} UTC",
        "Ended": f"{utc_time(incident.closed)} UTC" if incident.closed is not None else "not yet",
        "Concerns": scope_words(incident),
        "Traffic": "none moved: the fallback only advises"
        if incident.advisory
        else "the full model answered meanwhile",
        "Record": "complete" if not incident.missing else f"not complete: {'; '.join(incident.missing)}",
    }
    lines = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{REPORT_POLICY}">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>Incident {escape(incident.id)}</title><style>{REPORT_STYLE}</style></head><body>",
        f"<h1>Incident {escape(incident.id)}</h1>",
        "<dl>",
        *(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items()),
        "</dl><h2>What happened</h2>",
        "<table><thead><tr><th>Time (UTC)</th><th>Event</th></tr></thead><tbody>",
        *_rows(incident),
        "</tbody></table></body></html>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _rows(incident: Incident) -> list[str]:
    sentences = [
        (move.time, move_sentence(incident.model, move, advisory=incident.advisory)) for move in incident.moves
    ]
    return [f"<tr><td>{utc_time(time)}</td><td>{escape(text)}</td></tr>" for time, text in sentences]
