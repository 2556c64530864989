"""The columns of a file: which belong to which input, to the label, and to the parameters of a request.

`input[i]` is the column i of an input, and an input of one column gives it its own name. Columns of other names belong
to the inputs in their order. The column `label` holds the true class; `parameter:NAME` and `tag_NAME` hold a request
parameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tightrope.monitors.compare import MATRIX_DIMENSIONS
from tightrope.service.config.suggestions import did_you_mean
from tightrope.service.errors import quote
from tightrope.service.inference.row_files.row_file import LABEL_NAME, PARAMETER_PREFIX, RowFileError
from tightrope.service.inference.row_files.row_schema import show_spec
from tightrope.service.protocol.tensors import Shape, TensorSpec

TAG_PREFIX = "tag_"
"""The start of the name of a column that holds a request parameter, as `PARAMETER_PREFIX`."""

BESIDE = f"{LABEL_NAME!r}, {TAG_PREFIX}* and {PARAMETER_PREFIX}* beside them"


@dataclass(frozen=True, slots=True)
class InputColumns:
    """The indices of an input's columns in the file, and the sides of its rows that they fill, row-major."""

    spec: TensorSpec
    indices: Sequence[int]
    sides: Shape


@dataclass(frozen=True, slots=True)
class Columns:
    """A file's column names, the columns of each input, the index of the label if there is one, and the parameters by
    their column.
    """

    names: tuple[str, ...]
    inputs: Sequence[InputColumns]
    label: int | None
    parameters: Mapping[int, str]

    @property
    def flat_names(self) -> Sequence[str]:
        """The names of the inputs' columns, in the order of the inputs."""
        return [self.names[index] for each in self.inputs for index in each.indices]


def assign_columns(where: str, header: Sequence[str], specs: Sequence[TensorSpec]) -> Columns:
    """Find the columns of each input in a header; ``where`` begins an error.

    Raises:
        RowFileError: naming the column, when they do not fit the inputs.
    """
    names = tuple(name.strip() for name in header)
    wide = next((spec for spec in specs if _width(spec) is None and len(spec.shape) > MATRIX_DIMENSIONS), None)
    if wide is not None:
        raise RowFileError(f"{where}: the model takes {show_spec(wide)}; columns can feed no input of free sides")
    label = names.index(LABEL_NAME) if LABEL_NAME in names else None
    parameters = {i: parameter for i, name in enumerate(names) if (parameter := _parameter(name))}
    for meanings in (names, [*parameters.values()]):
        if twice := next((name for name in meanings if meanings.count(name) > 1), None):
            raise RowFileError(f"{where}: column {quote(twice)} appears twice")
    given = [i for i, name in enumerate(names) if i != label and _parameter(name) is None]
    inputs = _by_name(where, names, given, specs) or _by_order(where, names, given, specs)
    return Columns(names, inputs, label, parameters)


def _parameter(name: str) -> str | None:
    """The request parameter that a column holds; None if it holds none."""
    prefix = next((prefix for prefix in (TAG_PREFIX, PARAMETER_PREFIX) if name.startswith(prefix)), None)
    return None if prefix is None else name.removeprefix(prefix)


def _by_name(
    where: str, names: Sequence[str], given: Sequence[int], specs: Sequence[TensorSpec]
) -> Sequence[InputColumns] | None:
    """The columns of each input, where all are named by it; None where one is not.

    Raises:
        RowFileError: when a column of an input is missing, or is there twice.
    """
    named = {index: _input_column(names[index], specs) for index in given}
    if not given or None in named.values():
        return None
    indices: dict[tuple[str, int], int] = {}
    for index, column in named.items():
        if column is not None and indices.setdefault(column, index) != index:
            first, second = quote(names[indices[column]]), quote(names[index])
            raise RowFileError(f"{where}: columns {first} and {second} are the same")
    found = []
    for spec in specs:
        width = _width(spec)
        own = [number for name, number in indices if name == spec.name]
        for number in range(len(own) if width is None and own else width or 1):
            if (spec.name, number) not in indices:
                raise RowFileError(f"{where}: has no column {_name(spec, number)!r}; {_takes(specs)}")
        last = max(own)
        if width is not None and last >= width:
            raise RowFileError(f"{where}: column {quote(_name(spec, last))}: {show_spec(spec)} has {width} columns")
        sides = (len(own),) if width is None else spec.shape[1:]
        found.append(InputColumns(spec, [indices[spec.name, number] for number in range(len(own))], sides))
    return found


def _by_order(
    where: str, names: Sequence[str], given: Sequence[int], specs: Sequence[TensorSpec]
) -> Sequence[InputColumns]:
    """The columns of the inputs in their order; those that are named by an input must stand where the order has them.

    Raises:
        RowFileError: when their number is another one, or a name contradicts the order: then an unnamed one is stray.
    """
    widths = [_width(spec) for spec in specs]
    free = len(given) - sum(width or 0 for width in widths)
    named = {index: column for index in given if (column := _input_column(names[index], specs))}
    fits = widths.count(None) <= 1 and (free > 0 if None in widths else not free)
    numbers = [free if width is None else width for width in widths] if fits else []
    order = [(spec.name, number) for spec, width in zip(specs, numbers, strict=fits) for number in range(width)]
    misplaced = any(order[given.index(index) : given.index(index) + 1] != [column] for index, column in named.items())
    if misplaced or (given and not specs):
        stray = next(names[index] for index in given if index not in named)
        near = did_you_mean([_name(spec, 0) for spec in specs], stray)
        raise RowFileError(f"{where}: column {quote(stray)}: is no input; {_takes(specs)}{near}")
    if not fits:
        raise RowFileError(f"{where}: has {len(given)} input columns; {_takes(specs)}")
    columns = iter(given)
    return [
        InputColumns(spec, [next(columns) for _ in range(width)], (width,) if _width(spec) is None else spec.shape[1:])
        for spec, width in zip(specs, numbers, strict=True)
    ]


def _input_column(column: str, specs: Sequence[TensorSpec]) -> tuple[str, int] | None:
    """The input that a column is named by, and its number there; None if it is named by none."""
    for spec in specs:
        if column == spec.name and _width(spec) == 1:
            return spec.name, 0
        number = column.removeprefix(f"{spec.name}[").removesuffix("]")
        if column == f"{spec.name}[{number}]" and number.isdecimal():
            return spec.name, int(number)
    return None


def _name(spec: TensorSpec, number: int) -> str:
    return spec.name if _width(spec) == 1 else f"{spec.name}[{number}]"


def _width(spec: TensorSpec) -> int | None:
    """The number of an input's columns; None where it is free."""
    return None if any(side < 0 for side in spec.shape[1:]) else prod(spec.shape[1:])


def _takes(specs: Sequence[TensorSpec]) -> str:
    if not specs:
        return f"lists feed all inputs; there may be {BESIDE}"
    widths = [_width(spec) for spec in specs]
    number = "one or more" if None in widths else sum(width or 0 for width in widths)
    return f"the model takes {number} ({', '.join(map(show_spec, specs))}), and {BESIDE}"
