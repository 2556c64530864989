"""The first configuration of a pair: probed, proposed, written to a new file and checked."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tightrope.monitors.records import Role
from tightrope.offline.initialization.data_settings import SPAN_PERCENTILES, propose_tolerance, seen_limits
from tightrope.offline.initialization.pair_probe import probe_files
from tightrope.offline.initialization.proposal import (
    ANSWER,
    DATA,
    DEFAULT,
    PROBE,
    Ask,
    KindName,
    KindProposal,
    Option,
    propose,
)
from tightrope.offline.initialization.served_kinds import written_options
from tightrope.offline.initialization.yaml_text import Line, yaml_text
from tightrope.service.config.loader import ConfigError, load
from tightrope.service.config.section import NAME_PATTERN
from tightrope.wiring.configuration_check import check_configuration

CSV = ".csv"
"""Suffix of the files that golden rows are read from."""


TITLE = ("Written by `tightrope init`. Each line names its source; docs/configuration.md has all keys.",)
"""The comment above the configuration."""


@dataclass(frozen=True, slots=True)
class PairFiles:
    """The files of a pair and of rows, the name of the model, the file to write, and how questions are asked;
    ``takes_first``: their answers are the first choices.
    """

    files: Mapping[Role, Path]
    out: Path
    ask: Ask
    data: Path | None = None
    name: str | None = None
    takes_first: bool = False


@dataclass(frozen=True, slots=True)
class Initialized:
    """The written file, the name of its model, its kind, and lines for people: what was found, what was seen on rows,
    and what the check warns of.
    """

    path: Path
    name: str
    kind: KindName
    found: Sequence[str]
    seen: Sequence[str]
    warnings: Sequence[str]


@dataclass
class _Draft:
    """The configuration as it grows, in a file beside the one to come."""

    request: PairFiles
    name: str
    proposal: KindProposal
    options: list[Option]
    path: Path = field(init=False)
    settings: list[Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        out = self.request.out
        self.path = out.with_name(f".{out.name}.{secrets.token_hex(4)}")

    def text(self) -> str:
        """The text of the file."""
        files = [
            Line(2, str(role), _relative(path, self.request.out.parent), "given")
            for role, path in self.request.files.items()
        ]
        decision = [Line(3, each.key, each.value, self._source(each)) for each in self.options]
        lines = [
            Line(0, "models", None, ""),
            Line(1, self.name, None, ""),
            *files,
            Line(2, "decision", None, f"{PROBE}: kind {self.proposal.kind}"),
            *decision,
            *self.settings,
        ]
        return yaml_text(TITLE, lines)

    def write(self) -> None:
        """Write the file beside the one to come."""
        _write(self.path, "w", self.text())

    def _source(self, option: Option) -> str:
        source = option.source
        if source == ANSWER and self.request.takes_first:
            source = f"{DEFAULT}: the first choice"
        if option.key == "scale" and option.source in {PROBE, ANSWER}:
            return f"{source}: {self.proposal.found}"
        return source


def initialize(request: PairFiles) -> Initialized:
    """Write the first configuration of a pair; nothing is overwritten, and nothing is left that `check` refuses.

    Raises:
        ConfigError: with every reason against a configuration.
        NoProposalError: when no output can decide by a kind that is served.
        RowFileError: when the file of rows cannot be used.
    """
    if request.out.exists():
        raise ConfigError([f"{request.out}: exists already, and is never overwritten; write another one with -o"])
    name = request.name or _name_of(request.files[Role.BASELINE])
    if not re.match(NAME_PATTERN, name):
        raise ConfigError([f"--name: is {name!r}; it must match {NAME_PATTERN}"])
    probed = probe_files(request.files)
    proposal = propose(probed.findings, request.ask)
    draft = _Draft(request, name, proposal, list(written_options(proposal)))
    try:
        seen = _add_data(draft) if request.data else ()
        _add_mode(draft, with_limits=any(line.key == "limits" for line in draft.settings))
        draft.write()
        checked = check_configuration(draft.path)
        if checked.problems:
            raise ConfigError([line.replace(str(draft.path), str(request.out)) for line in checked.problems])
        _write(request.out, "x", draft.text())
    finally:
        draft.path.unlink(missing_ok=True)
    return Initialized(request.out, name, proposal.kind, (*probed.lines, proposal.found), seen, checked.warnings)


def _add_data(draft: _Draft) -> Sequence[str]:
    """Add what the rows support; return lines for people."""
    data, name = draft.request.data, draft.name
    if data is None:
        return ()
    draft.write()
    seen: list[str] = []
    if draft.proposal.kind is KindName.REGRESSION and (found := propose_tolerance(load(draft.path), name, data)):
        low, high = SPAN_PERCENTILES
        words = f"5 % of {found.span:.4g}, the span of the baseline's answers from {low:g} to {high:g} %"
        draft.options = [option for option in draft.options if option.key != "tolerance"]
        draft.options.append(Option("tolerance", found.value, f"{DATA}: {words}"))
        seen.append(f"tolerance {found.value:g}: {words}")
        draft.write()
    limits = seen_limits(load(draft.path), name, data)
    if limits.proposed:
        draft.settings.append(Line(2, "limits", None, f"{DATA}: {limits.rows:,} rows of {data.name}"))
        draft.settings += [Line(3, key, limit, f"{DATA}: {words}") for key, (limit, words) in limits.proposed.items()]
    if data.suffix == CSV:
        shown = _relative(data, draft.request.out.parent)
        draft.settings.append(Line(2, "golden", shown, f"{DATA}: the reference of drift reports and of trials"))
    return (*seen, *limits.lines)


def _add_mode(draft: _Draft, *, with_limits: bool) -> None:
    if with_limits:
        draft.settings.append(Line(2, "mode", "armed", f"{DATA}: its limits are from rows; a breach moves traffic"))
    else:
        draft.settings.append(Line(2, "mode", "advisory", f"{DEFAULT}: a breach is only recorded; armed moves traffic"))


def _write(path: Path, mode: str, text: str) -> None:
    """Write a file.

    Raises:
        ConfigError: when it cannot be written.
    """
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error


def _name_of(path: Path) -> str:
    """A model's name from its file: its stem, or its folder's where that says nothing of it."""
    stem = path.resolve().parent.name if path.stem in {"model", "baseline"} else path.stem
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).lstrip(".-")[:100] or "model"


def _relative(path: Path, folder: Path) -> str:
    """A path as the configuration has it: relative to its folder where it is below that."""
    whole, base = path.absolute(), folder.absolute()
    return str(whole.relative_to(base) if whole.is_relative_to(base) else whole)
