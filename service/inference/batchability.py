"""Which requests to a pair may share a run: the findings of `row_probe`, the configuration, and surprises in service.

Outputs of a shared run are cut by rows, each on its own axis. So requests share one only where every output that they
ask for, and the one that decides, was proven to be by rows in both models; all others run apart, one request a run.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from tightrope.monitors.records import Role
from tightrope.service.inference.scales.learnt_scale import LearntScale


class Proof(IntEnum):
    """The result of the probe for one output; a larger one outweighs a smaller one."""

    PROVEN = 0
    UNKNOWN = 1
    DISPROVED = 2


@dataclass(frozen=True, slots=True)
class RowFinding:
    """Whether an output is by rows, each independent of the others, why it is not taken to be, and its scale. ``axis``
    is the one that grows with the rows; None where no run showed one. ``noise``, where that is proven, is
    the largest difference of a row alone from the same row beside others. ``error`` is that of the last row where none
    ran; ``entries`` the length that the output had in a run of one row, where that was not one entry a row. ``varies``:
    rows of equal shapes got outputs of other shapes.
    """

    proof: Proof
    reason: str = ""
    axis: int | None = None
    scale: LearntScale | None = None
    noise: float = 0.0
    error: str = ""
    entries: int | None = None
    varies: bool = False


Findings = Mapping[str, RowFinding]
"""A model's findings by the names of its outputs."""


class Batchability:
    """Whether requests to a pair may share a run. ``is_open``: all of them; ``reason``: why some or all may not;
    ``findings``: what the probe found; ``axes``: the outputs whose rows are on another axis than 0; ``conflicts``: one
    line for each output whose rows are on different axes in both models.

    ``decides`` is the output that decides. ``configured`` is `batch_rows`: more than 1 lets requests share a run where
    the probe cannot tell, never where it disproved that; 1 keeps them apart. ``is_kept_apart``: a surprise in
    service keeps them apart. Any thread may call this.
    """

    def __init__(self, findings: Mapping[Role, Findings], decides: str, configured: int | None = None) -> None:
        self._changing = threading.Lock()
        self.is_kept_apart = False
        self.findings = findings
        self.axes, self.conflicts = _row_axes(findings)
        self._apart: dict[str, str] = {}
        if axis := self.axes.get(decides):
            self._apart[decides] = f"{decides!r} decides, and has its rows on axis {axis}, not 0"
        allowed = Proof.UNKNOWN if configured and configured > 1 else Proof.PROVEN
        for role, by_output in findings.items():
            for output, finding in by_output.items():
                if finding.proof > allowed:
                    advice = "; batch_rows lets them share runs" if finding.proof is Proof.UNKNOWN else ""
                    self._apart.setdefault(output, f"{output!r} of the {role} model: {finding.reason}{advice}")
        self.reason = next(iter(self._apart.values()), "")
        self.is_closed = decides in self._apart or configured == 1
        if self.is_closed:
            self.reason = self._apart.get(decides, "batch_rows is 1")
        self.is_open = not self._apart and not self.is_closed

    def allows(self, outputs: Sequence[str]) -> bool:
        """Whether a request for these outputs (without any: for all) may share a run."""
        return self.is_open or not (self.is_closed or not outputs or any(name in self._apart for name in outputs))

    def keep_apart(self, reason: str) -> bool:
        """Keep all requests apart from now on; return whether this is the first surprise."""
        with self._changing:
            is_first = not self.is_closed
            if is_first:
                self.is_open, self.is_closed, self.reason, self.is_kept_apart = False, True, reason, True
        return is_first

    def describe(self) -> str:
        """One line for people: how requests, and their comparisons, are run."""
        if self.is_open:
            return "share runs"
        return f"run apart: {self.reason}" if self.is_closed else f"run apart for some outputs: {self.reason}"


def _row_axes(findings: Mapping[Role, Findings]) -> tuple[Mapping[str, int], Sequence[str]]:
    """The outputs whose rows are on another axis than 0, and a line for each whose axes differ between the roles."""
    axes: dict[str, int] = {}
    conflicts: list[str] = []
    ours, theirs = (findings.get(role, {}) for role in (Role.BASELINE, Role.COMPRESSED))
    for name in {**ours, **theirs}:
        found = [by_output[name].axis for by_output in (ours, theirs) if name in by_output]
        known = [axis for axis in found if axis is not None]
        if len(set(known)) > 1:
            conflicts.append(
                f"output {name!r} has rows on axis {known[1]}, the baseline's on axis {known[0]}; "
                "write compressed_tensors.read"
            )
        elif known and known[0]:
            axes[name] = known[0]
    return axes, conflicts
