"""The configuration of a decision: the output that decides, its kind, and the options of the kind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

from tightrope.monitors.compare import Scale
from tightrope.monitors.records import Role
from tightrope.service.config.section import Section

FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]

ClassScale: TypeAlias = Literal[Scale.PROBABILITIES, Scale.LOGITS]


def _form_of_scale(written: object) -> str:
    """Whether a scale is that of both roles, or one for each."""
    return "<roles>" if isinstance(written, Mapping) else "<both>"


def _has_both(scales: dict[Role, ClassScale]) -> dict[Role, ClassScale]:
    if {*scales} != {*Role}:
        raise ValueError("must have a scale for baseline and one for compressed")
    return scales


WrittenScale: TypeAlias = Annotated[
    Annotated[Scale, Tag("<both>")] | Annotated[dict[Role, ClassScale], AfterValidator(_has_both), Tag("<roles>")],
    Discriminator(_form_of_scale),
]

COMMON_KEYS = frozenset({"output", "kind", "options", "critical"})
"""Keys that every kind has."""


class DecisionSection(Section):
    """The output that decides, and how it is read; see docs/models.md."""

    output: str | None = None
    """The output's name; the only one that fits if left out."""
    kind: str | None = None
    """classes, labels, binary, multilabel, regression, embedding or positions, or the name of a kind that an installed
    package offers; see docs/models.md. By default what `scale` says: classes, or a regression.
    """
    scale: WrittenScale = Scale.PROBABILITIES
    """probabilities, logits or regression; or {baseline: probabilities, compressed: logits} where the models differ.
    What made-up rows contradict is refused: probabilities that do not sum to one, logits that do.
    """
    tolerance: NotNegative = 0.0
    """regression: values further apart than this disagree; for relative as a share of the baseline's. Without one
    `tightrope check` and the start propose one: ten times what the baseline differs from itself by, on the golden
    rows or on made-up ones. embedding: for beyond, 1 - cosine beyond which rows disagree.
    """
    loss: str | None = None
    """How two decisions are compared. multilabel: any, hamming or jaccard. regression: absolute, relative, bands or
    clipped. embedding: angular, cosine, beyond or neighbours. positions: share, any, spans or iou.
    """
    top: Annotated[int, Field(ge=1)] | None = None
    """classes: the number of largest classes that are compared; 1 if left out."""
    match: Literal["overlap", "inside"] | None = None
    """classes with top: overlap, the share of classes that differ, or inside, whether the baseline's class is missing
    among the compressed model's.
    """
    classes: list[str] | dict[Role, list[str]] | None = None
    """classes, labels: the names of the classes in the order of the output, or of its label; of each role, where they
    differ.
    """
    threshold: FiniteNumber | dict[Role, FiniteNumber] | None = None
    """binary, positions: the answer is yes above it; 0.5 if left out."""
    thresholds: FiniteNumber | list[FiniteNumber] | dict[Role, FiniteNumber | list[FiniteNumber]] | None = None
    """multilabel: a label is given above it; 0.5 if left out."""
    labels: list[str] | None = None
    """multilabel: the names of the labels."""
    floor: NotNegative | None = None
    """regression, relative: the smallest value that the tolerance is a share of."""
    edges: list[FiniteNumber] | None = None
    """regression, bands: the values between the bands, in order."""
    cap: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """regression: the difference that counts as a loss of 1; with it the monitor *bias* is on."""
    pool: Literal["none", "mean", "cls"] | None = None
    """embedding: how the vectors of places become one: the mean where the mask is one, or the first."""
    mask: str | None = None
    """embedding, positions: the input that is one at the places that count."""
    anchors: dict[Role, Path] | None = None
    """embedding, neighbours: for each role a .npy file of reference vectors, of the same items in the same order."""
    k: Annotated[int, Field(ge=1)] | None = None
    """embedding, neighbours: the number of nearest anchors that are compared; 10 if left out."""
    class_axis: int | None = None
    """positions: the axis of the classes, counted with the rows; the last if left out."""
    tags: list[str] | Path | None = None
    """positions, spans: the tags such as B-PER in the order of the classes, or a text file with one a line."""
    background: Annotated[int, Field(ge=0)] | None = None
    """positions, iou: the class that is no object."""
    ignore: list[int] | None = None
    """positions: classes of the baseline at whose places nothing is compared."""
    confidence: Literal["mean", "min"] | None = None
    """positions: the confidence of a row: the mean of its places, or the least certain place."""
    critical: list[int | str] | None = None
    """Classes, by name or number from 0, to which half of the alarm budget of *class_miss* and *class_gain* goes. Of a
    model with more than 20 classes the first 20 of them are watched in each subgroup, too, and all others together.
    """
    options: dict[str, object] | None = None
    """The options of a kind that an installed package offers."""

    @property
    def scales(self) -> Mapping[Role, Scale]:
        """The scale of each role's output."""
        return self.scale if isinstance(self.scale, dict) else dict.fromkeys(Role, self.scale)

    @property
    def lacks_tolerance(self) -> bool:
        """Whether it is a regression in which any difference counts as a disagreement."""
        by_difference = self.scale is Scale.REGRESSION
        if self.kind == "regression":
            by_difference = self.loss in {None, "absolute"}
        return by_difference and not self.tolerance

    @property
    def written(self) -> dict[str, object]:
        """The options that differ from their defaults, without those that every kind has."""
        fields = type(self).model_fields
        options = {name: getattr(self, name) for name in sorted(set(fields) - COMMON_KEYS)}
        return {name: value for name, value in options.items() if value != fields[name].default}

    def resolved(self, folder: Path) -> Self:
        """The section with the files of its options relative to a folder."""
        files: dict[str, object] = {}
        if self.anchors:
            files["anchors"] = {role: folder / file for role, file in self.anchors.items()}
        if isinstance(self.tags, Path):
            files["tags"] = folder / self.tags
        return self.model_copy(update=files)
