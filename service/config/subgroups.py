"""The configuration of subgroups. A field's text gives its meaning; docs/configuration.md is made of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from tightrope.monitors.scopes import OTHER_VALUE
from tightrope.service.config.section import Name, Section

NORMALISATIONS: Mapping[str, Callable[[str], str]] = {"strip": str.strip, "casefold": str.casefold}
"""The steps that make different spellings of a text equal, by their names in the configuration."""


def normalised(text: str, steps: Sequence[str]) -> str:
    """A text after these steps of `NORMALISATIONS`."""
    for step in steps:
        text = NORMALISATIONS[step](text)
    return text


class Range(Section):
    """Codes from ``low`` to ``high``, both included."""

    low: float = float("-inf")
    """The lowest value."""
    high: float = float("inf")
    """The highest value."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            raise ValueError("low must not be above high")
        return self


def _form_of_codes(value: object) -> str | None:
    if isinstance(value, list):
        return "<strings>" if value and isinstance(value[0], str) else "<numbers>"
    return "<range>" if isinstance(value, dict | Range) else None


def _form_of_values(value: object) -> str | None:
    if isinstance(value, list):
        return "<list>"
    return "<map>" if isinstance(value, dict) else None


Numbers: TypeAlias = Annotated[list[float], Field(min_length=1)]
Strings: TypeAlias = Annotated[list[str], Field(min_length=1)]
SubgroupCodes: TypeAlias = Annotated[
    Annotated[Numbers, Tag("<numbers>")] | Annotated[Strings, Tag("<strings>")] | Annotated[Range, Tag("<range>")],
    Discriminator(_form_of_codes, "codes", "must be a list of codes, or {low, high}"),
]
CodesByValue: TypeAlias = Annotated[dict[Name, SubgroupCodes], Field(min_length=1)]
Names: TypeAlias = Annotated[list[Name], Field(min_length=1)]


class SubgroupSection(Section):
    """One attribute whose values are monitored separately: read from an input column, or sent by the caller."""

    parameter: str | None = None
    """The request parameter that carries the value."""
    input: str | None = None
    """The input with the column; the model's only input if left out."""
    column: Annotated[int, Field(ge=0)] | None = None
    """The column of that input, from 0."""
    values: Annotated[
        Annotated[CodesByValue, Tag("<map>")] | Annotated[Names, Tag("<list>")],
        Discriminator(_form_of_values, "values", "must be a list of names, or a map from names to codes"),
    ]
    """With a parameter: the monitored values. With a column: for each value its codes, or {low, high}; they are rounded
    to the datatype of the column.
    """
    otherwise: Literal["watch", "baseline", "refuse"] = "watch"
    """Requests without a declared value belong to the subgroup attribute=other. watch: it is monitored like any other,
    and the baseline answers it while it answers a declared value of the attribute. baseline: the baseline always
    answers it. refuse: it gets an error of status 400.
    """
    normalise: list[Literal["strip", "casefold"]] = Field(default=["strip", "casefold"])
    """Steps that a text takes before it is compared with the declared ones: surrounding blanks, and upper case, do not
    count.
    """

    @property
    def cut(self) -> tuple[int, dict[str, list[float] | list[str] | Range]]:
        """The column, and each value's codes; empty where the caller sends the value."""
        if self.column is None or isinstance(self.values, list):
            return 0, {}
        return self.column, self.values

    @property
    def texts(self) -> Mapping[str, list[str]]:
        """The texts of each value, as declared; empty where values have numbers."""
        if isinstance(self.values, list):
            return {value: [value] for value in self.values}
        lists = {value: codes for value, codes in self.values.items() if isinstance(codes, list)}
        return {value: [code for code in codes if isinstance(code, str)] for value, codes in lists.items()}

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.parameter is None) == (self.column is None):
            raise ValueError("needs either parameter or column")
        if (self.column is None) != isinstance(self.values, list):
            raise ValueError("values must be a list of names with parameter, and a map from names to codes with column")
        duplicate = next((name for name in self.values if list(self.values).count(name) > 1), None)
        if duplicate is not None:
            raise ValueError(f"values has {duplicate!r} twice")
        return self

    @model_validator(mode="after")
    def _values_differ(self) -> Self:
        """A value whose texts equal those of another would never get a row."""
        if reserved := next((name for name in self.values if name.casefold() == OTHER_VALUE), None):
            raise ValueError(f"values has {reserved!r}, the name of the subgroup of all undeclared values")
        declared: dict[str, tuple[str, str]] = {}
        for value, texts in self.texts.items():
            for text in texts:
                owner, spelling = declared.setdefault(normalised(text, self.normalise), (value, text))
                if owner != value:
                    steps = f" after {' and '.join(self.normalise)}" if spelling != text else ""
                    raise ValueError(f"values {owner} and {value} are equal{steps}: {spelling!r} and {text!r}")
        return self
