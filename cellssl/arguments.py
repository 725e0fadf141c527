"""What functions are called with, checked before Python stumbles over it: a path, some names, seeds, whole numbers."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from types import NoneType
from typing import ParamSpec, TypeVar, get_args

from cellssl.errors import CellsslError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def one_path(value: object, wanted: str, *, error: type[CellsslError] = CellsslError) -> Path:
    """Take a path as text or Path, and nothing else; `wanted` says what it should be of.

    Raises
    ------
    CellsslError
        For a list of paths, say, or None.

    Examples
    --------
    >>> one_path("plate", "the folder of a plate").name
    'plate'
    >>> one_path(["a", "b"], "the folder of a plate")
    Traceback (most recent call last):
        ...
    cellssl.errors.CellsslError: wanted the folder of a plate, got a list of 2.
    """
    if isinstance(value, str | os.PathLike):
        return Path(value)
    raise error(f"wanted {wanted}, got {_describe_kind(value)}.")


def one_name(value: object, mend: str = "", *, error: type[CellsslError] = CellsslError) -> str:
    """Take the name of one column, and nothing else; `mend` says what to do with other things.

    Raises
    ------
    CellsslError
        For a list of names, or the column itself.

    Examples
    --------
    >>> one_name(["MOA", "Plate"])
    Traceback (most recent call last):
        ...
    cellssl.errors.CellsslError: wanted the name of one column, got a list of 2.
    """
    if isinstance(value, str):
        return value
    raise error(f"wanted the name of one column, got {_describe_kind(value)}{mend and ': '}{mend}.")


def some_names(value: str | Iterable[object]) -> list[str]:
    """Take one name, or several, which may be numbers, as those of plates are.

    Examples
    --------
    >>> some_names("Week1"), some_names([22123, 22124])
    (['Week1'], ['22123', '22124'])
    """
    return [value] if isinstance(value, str) else [str(one) for one in value]


def seed_numbers(
    seeds: int | Sequence[int], *, error: type[CellsslError] = CellsslError
) -> tuple[int, ...]:
    """Give the seeds that are meant: so many, from 0 up, or those that are listed.

    Raises
    ------
    CellsslError
        For no seed, one that is listed twice, negative ones, or what is no whole number.

    Examples
    --------
    >>> seed_numbers(3), seed_numbers([4, 7])
    ((0, 1, 2), (4, 7))
    """
    listed: object = range(int(seeds)) if isinstance(seeds, Integral) else seeds
    if not isinstance(listed, Iterable) or not all(isinstance(one, Integral) for one in listed):
        raise error(f"seeds: wanted how many, or a list of whole numbers, got {seeds!r}.")
    numbers = tuple(map(int, listed))
    if not numbers or min(numbers) < 0 or len(set(numbers)) < len(numbers):
        raise error(f"seeds: wanted one at least, each once and none below 0, got {seeds!r}.")
    return numbers


def whole_number(
    value: object, name: str, *, least: int, error: type[CellsslError] = CellsslError
) -> int:
    """Take a whole number, also one that a calculation made a float; `name` is the argument's.

    Raises
    ------
    CellsslError
        For fractions, text, truth values and what is below `least`.

    Examples
    --------
    >>> whole_number(96.0, "size", least=2)
    96
    """
    whole = isinstance(value, Real) and not isinstance(value, bool) and value % 1 == 0
    if whole and int(value) >= least:  # type: ignore[call-overload] # a whole Real
        return int(value)  # type: ignore[call-overload]
    raise error(f"{name}: wanted a whole number, {least} or more, got {value!r:.60}.")


def whole_numbers(
    *, error: type[CellsslError] = CellsslError, **least: int
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Let a function take each of these keyword arguments by `whole_number`, or None where its type says so.

    Examples
    --------
    >>> @whole_numbers(cells=1)
    ... def draw(*, cells: int | None = 8) -> int | None:
    ...     return cells
    >>> draw(cells=4.0), draw(), draw(cells=None)
    (4, 8, None)
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        types = {name: signature(function).parameters[name].annotation for name in least}

        @wraps(function)
        def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            for name in least.keys() & kwargs.keys():
                if kwargs[name] is not None or NoneType not in get_args(types[name]):
                    number = whole_number(kwargs[name], name, least=least[name], error=error)
                    kwargs[name] = number
            return function(*args, **kwargs)

        return checked

    return decorate


def _describe_kind(value: object) -> str:
    """Say what kind of thing a value is; of several, how many."""
    kind = type(value).__name__
    if value is None or isinstance(value, int | float):
        return repr(value)
    article = "an" if kind[0].lower() in "aeiou" else "a"
    many = f" of {len(value)}" if isinstance(value, list | tuple | set | dict) else ""
    return f"{article} {kind}{many}"
