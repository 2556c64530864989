"""Writes the table and the commands of docs/cluster.md about the permissions of each process."""

import re
import textwrap
from pathlib import Path

from tightrope.service.adapters.kafka.options import KafkaOptions
from tightrope.service.adapters.kafka.permissions.acls import GROUP, PERMISSIONS, READ, WRITE, grant_commands
from tightrope.service.adapters.topics import ALL_TOPICS, topic

PAGE = Path(__file__).parent / "cluster.md"
BEGIN, END = "<!-- written from service/adapters/kafka/permissions/acls.py by `make docs` -->\n", "<!-- to here -->\n"

PROCESSES = {
    "gateway": "`tightrope serve`",
    "payload-gateway": "the same, in addition, where a model has `payloads`",
    "worker": "`tightrope worker`",
    "judge": "`tightrope judge`",
    "review-judge": "the same, in addition, where a model has `review`",
    "topics": "`tightrope topics`; with `--check` without Create",
    "doctor": "`tightrope doctor`",
    "tail": "`tightrope tail`, for any topic",
    "labels": "a program that writes labels to the topic itself",
    "payloads": "a server that writes payload events",
    "autoscaler": "KEDA, which scales workers by their lag",
}
"""The commands and programs behind the names of the table."""

WIDTH = 120


def cluster() -> str:
    """The page on clusters with the table and the commands; the rest of the page stays as it is."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    rows = "\n".join(_row(process) for process in PERMISSIONS)
    commands = "\n".join(_commands(process) for process in PERMISSIONS)
    table = f"| process | Read | Write | other operations | groups |\n|---|---|---|---|---|\n{rows}\n"
    return f"{before}{BEGIN}{table}\n```sh\n{commands}\n```\n{END}{rest.partition(END)[2]}"


def _row(process: str) -> str:
    cells: dict[str, list[str]] = {}
    for resource, name, operation in PERMISSIONS[process]:
        column = GROUP if resource == GROUP else operation
        text = f"{operation} `{name}`" if resource == GROUP else f"`{name.removeprefix(topic(''))}`"
        cells.setdefault(column, []).append(text)
    texts = {column: "all" if len(found) == len(ALL_TOPICS) else ", ".join(found) for column, found in cells.items()}
    others = "; ".join(f"{column} {text}" for column, text in texts.items() if column not in {READ, WRITE, GROUP})
    columns = [texts.get(READ, ""), texts.get(WRITE, ""), others, texts.get(GROUP, "")]
    return f"| `{process}`: {PROCESSES[process]} | {' | '.join(columns)} |"


def _commands(process: str) -> str:
    client = {"security_protocol": "SASL_SSL", "sasl_plain_username": process.removeprefix("payload-")}
    lines = grant_commands(KafkaOptions(("kafka-1:9093",), client=client), PERMISSIONS[process])
    wrap = textwrap.TextWrapper(WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join([f"# {process}", *(" \\\n".join(_wrapped(wrap, line)) for line in lines)])


def _wrapped(wrap: textwrap.TextWrapper, line: str) -> list[str]:
    """The lines of a command: an option and its value stay together."""
    joined = re.sub(r"(--[a-z-]+) (?=[^-])", r"\1\0", line)
    return [part.replace("\0", " ") for part in wrap.wrap(joined)]
