"""`tightrope doctor`: the findings about a running cluster, for people or as JSON."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.table import Table
from rich.text import Text

from tightrope.cli import console
from tightrope.wiring.doctor.cluster_view import ClusterView
from tightrope.wiring.doctor.finding import Finding, Severity, exit_code
from tightrope.wiring.doctor.judge_findings import plans_and_epochs

STYLES = {
    Severity.FINE: "green",
    Severity.NOTE: "bold",
    Severity.ACT: "bold yellow",
    Severity.BLIND: "bold red",
    Severity.SILENT: "bold red",
}

VERDICTS = {
    0: "All is well.",
    3: "A person must act.",
    4: "A model is not guarded by evidence: the baseline must answer it.",
    5: "The cluster does not answer.",
}
"""The last line by exit code."""


@contextmanager
def quiet_log() -> Iterator[None]:
    """Log nothing of our own until the block ends: the findings say it better."""
    logger = logging.getLogger("tightrope")
    level = logger.level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


def print_findings(findings: Sequence[Finding]) -> None:
    """Print the findings as a table that fits a terminal of 80 columns, then the verdict."""
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for finding in findings:
        text = Text.assemble((finding.subject, "bold"), f": {finding.text}")
        if finding.remedy:
            text.append(f"\nDo: {finding.remedy}{'' if finding.remedy.endswith('?') else '.'}", style="italic")
        table.add_row(Text(finding.severity.word, STYLES[finding.severity]), text)
    console.out.print(table)
    code = exit_code(findings)
    console.out.print(Text(VERDICTS[code], STYLES[Severity(code)]))


def print_findings_json(findings: Sequence[Finding], view: ClusterView) -> None:
    """Print the findings and what the members say as one JSON object."""
    listed = [{"severity": f.severity.word, "subject": f.subject, "text": f.text, "do": f.remedy} for f in findings]
    members = [{"url": m.url, "status": m.status, "reasons": list(m.reasons)} for m in view.members]
    code = exit_code(findings)
    answer = {"ok": code == 0, "exit": code, "findings": listed, "models": plans_and_epochs(view), "members": members}
    topics = {name: {"id": found.id, "partitions": found.partitions} for name, found in (view.topics or {}).items()}
    typer.echo(json.dumps({**answer, "topics": topics}))
