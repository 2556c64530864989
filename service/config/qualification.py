"""The configuration of a qualification: its criteria, its statement, and who must approve it. A field's text gives its
meaning; docs/configuration.md is made of them.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from tightrope.service.config.section import Name, Section

STATEMENT_SUFFIX = ".intoto.jsonl"
"""A statement stands beside the artefact, under the artefact's name with this after it."""

CriterionLimit = Annotated[float, Field(gt=0, lt=1)]


class ProvenLimit(Section):
    """A limit, and what must be shown about it."""

    limit: CriterionLimit
    """The limit."""
    proof: Literal["within", "not_over"] = "within"
    """within: the rows must prove that the limit holds. not_over: they must not refute it, and be enough to see three
    times the limit.
    """


def _form_of_limit(value: object) -> str:
    return "<proof>" if isinstance(value, dict | ProvenLimit) else "<limit>"


WrittenLimit: TypeAlias = Annotated[
    Annotated[CriterionLimit, Tag("<limit>")] | Annotated[ProvenLimit, Tag("<proof>")],
    Discriminator(_form_of_limit),
]


class CriterionSection(Section):
    """The limits of one criterion. Nothing is asked of what has no limit."""

    model: WrittenLimit | None = None
    """The limit for the whole model: a share or a difference of shares, or {limit, proof}."""
    subgroups: WrittenLimit | None = None
    """The limit for every subgroup, likewise."""
    classes: WrittenLimit | None = None
    """The limit for every class, likewise."""
    at: Annotated[float, Field(gt=0, lt=1)] | None = None
    """confident_wrong: the confidence above which an answer counts as confident; 0.9 if left out."""
    ratio: Annotated[float, Field(gt=0)] | None = None
    """A cost: the limit as a multiple of the baseline's cost in the same run."""
    most: Annotated[float, Field(gt=0)] | None = None
    """A cost: the limit in seconds, bytes or joules; joules need a host that counts them (RAPL)."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if (self.model, self.subgroups, self.classes, self.ratio, self.most) == (None,) * 5:
            raise ValueError("needs a limit: one of model, subgroups, classes, ratio or most")
        return self


CardText = Annotated[str, Field(min_length=1, max_length=200)]


class CardOptions(Section):
    """Facts that `tightrope card` repeats and no file tells; see docs/card.md."""

    contact: CardText | None = None
    """The address at which a person contests an answer; without it the card says that no contact is named."""
    license: CardText | None = None
    """The license of the compressed model, as model hubs name it, such as apache-2.0; absent if left out."""
    base_model: CardText | None = None
    """The name of the baseline on a model hub, such as org/name; that of its file if left out."""


class TokensSection(Section):
    """Ids of tokens that are left out."""

    input: Name
    """The input with the ids, (rows, positions). Other inputs of integers with its shape lose the same positions."""
    share: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """The share of the ids that are left out; those that follow move to the left, and zeros fill the right."""
    keep: list[int] = Field(default_factory=list)
    """Ids that stay, such as padding and the marks of begin and end: [0, 101, 102]."""


class ScenariosSection(Section):
    """Changes of the rows. Numbers of columns count those of all inputs of numbers, from 0."""

    jitter: dict[int, float] = Field(default_factory=dict)
    """For numbers of columns, the size by which each goes up or down; `flip_gap` is about this one."""
    missing: dict[int, float] = Field(default_factory=dict)
    """For numbers of columns, the value that stands for a missing one, such as .nan or -1; a row loses one of them."""
    quantised: dict[int, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """For numbers of columns, the number of steps to which their range is rounded."""
    typos: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The share of the words of texts that get a typing mistake."""
    tokens: TokensSection | None = None
    """Ids of tokens that are left out; none if left out."""
    layout: Literal["NCHW", "NHWC"] | None = None
    """The axes of images, inputs of four axes, for blur and contrast; not measured if left out."""


class QualificationSection(Section):
    """The proof that the compressed model needs before it serves, and the approvals; see docs/qualification.md."""

    file: Path | None = None
    """The bundle with the statement and its approvals; beside the compressed model, with .intoto.jsonl after its name,
    if left out.
    """
    require: bool | None = None
    """Whether the compressed model may serve only if the statement holds; true with `file` or `keys` if left out."""
    otherwise: Literal["refuse", "baseline"] = "refuse"
    """If the statement does not hold. refuse: nothing starts. baseline: all scopes start in safe mode, and the
    compressed model is only watched.
    """
    at_expiry: Literal["warn", "baseline"] = "warn"
    """When the statement expires while the model serves. warn: an alert; the next start refuses. baseline: the baseline
    answers from then on.
    """
    objective: str | None = None
    """The purpose in words for people, such as: no answer changes because the model was compressed."""
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.95
    """The confidence with which a limit must be proved to hold, each for itself."""
    requalify_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    """Days after which the running service makes a new statement on the rows of traffic that it kept since, for people
    to sign; never if left out. It needs reports.keep_rows.
    """
    valid_days: Annotated[int, Field(ge=1, le=3650)] = 180
    """Days after which the statement expires."""
    criteria: dict[Name, CriterionSection] = Field(default_factory=dict)
    """The criteria, by name: a monitor, or one of docs/qualification.md. If left out, those of that page."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """The seed of what is drawn: the part of the rows that chooses, changes of rows, golden rows."""
    scenarios: ScenariosSection = Field(default_factory=ScenariosSection)
    """Changes of the rows, the same for both models, under which criteria and `--stress` measure them."""
    unproven: Literal["reject", "withhold"] = "reject"
    """Subgroups over a limit on the rows that choose. reject: they are judged like the others. withhold: the baseline
    serves them, and the others are judged without their rows.
    """
    host_classes: Literal["conform"] | Annotated[list[str], Field(min_length=1)] = "conform"
    """The hosts on which the statement holds: conform, those that reproduce its golden answers, or a list of host
    classes.
    """
    golden_rows: Literal["shuffled", "data"] = "shuffled"
    """The rows of the golden answers. shuffled: of rows whose columns are shuffled independently, so that they are
    data of no person. data: rows of the file, for texts and images.
    """
    keys: dict[Name, Annotated[list[Path], Field(min_length=1)]] = Field(default_factory=dict)
    """For a role such as safety-reviewer, the files of the public keys (Ed25519, PEM) of those who may approve in it.
    Without keys only digests are checked.
    """
    approvals: dict[Name, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """For a role, how many of its keys must approve; 1 for each role with keys if left out."""

    @model_validator(mode="after")
    def _approvals_are_possible(self) -> Self:
        for role, needed in self.approvals.items():
            if role not in self.keys:
                raise ValueError(f"approvals.{role} has no keys; add keys.{role}")
            if needed > len(self.keys[role]):
                raise ValueError(f"approvals.{role} is {needed}, but keys.{role} has {len(self.keys[role])}")
        return self

    @property
    def is_required(self) -> bool:
        """Whether the compressed model may serve only if the statement holds."""
        return bool(self.file or self.keys) if self.require is None else self.require

    @property
    def needed_approvals(self) -> dict[str, int]:
        """For each role with keys, how many must approve."""
        return {role: self.approvals.get(role, 1) for role in self.keys}

    def resolved(self, folder: Path, compressed: Path | None) -> Self:
        """The section with its paths resolved against a folder; by default the bundle stands beside ``compressed``."""
        file = folder / self.file if self.file else None
        if file is None and compressed is not None:
            file = compressed.with_name(compressed.name + STATEMENT_SUFFIX)
        keys = {role: [folder / key for key in files] for role, files in self.keys.items()}
        required = {"require": self.is_required}
        return self.model_copy(update={"file": file, "keys": keys, **required})
