"""Numbers of a table of text as countries write them: decimal commas, and points between thousands."""

import logging
import re
from pathlib import Path

import pandas as pd

from cellssl.doses import is_dose
from cellssl.errors import PlateError
from cellssl.punctuation import THOUSANDS, doubtful_points, may_part_thousands

_LOG = logging.getLogger(__name__)

_POINT_NUMBER = r"[+-]?\d+(?:\.\d+)*"
_DECIMAL = r"[+-]?\d*(?:,\d+|\d)(?:[eE][+-]?\d+)?"  # 0,5 and 5, no 1.5


def with_decimal_points(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write numbers with decimal points, doses without those of thousands, in a table whose columns no comma parts.

    Raises
    ------
    PlateError
        As `without_thousands` does.
    """
    commas = next((str(name) for name, own in table.items() if _has_decimal_commas(own)), None)
    return table.apply(without_thousands, commas=commas, path=path).apply(_with_points)


def say_doubtful_points(table: pd.DataFrame) -> None:
    """Say which columns but doses have points that may part thousands."""
    for name, column in table.items():
        if not is_dose(name) and (doubtful := _doubtful_points(column)):
            _say_unread(column, doubtful, "point")


def without_thousands(column: pd.Series, *, path: Path, commas: str | None = None) -> pd.Series:
    """Take points from between the thousands of doses, as countries with a decimal comma write them.

    They are told by another column's decimal `commas`; without any, what seems to be one is refused.

    Raises
    ------
    PlateError
        When nothing tells whether points of doses part thousands.
    """
    numbers = [*column[column != ""]]
    if not is_dose(column.name) or not all(re.fullmatch(_POINT_NUMBER, one) for one in numbers):
        return column
    if commas and may_part_thousands(numbers):
        first = next(number for number in numbers if "." in number)
        told = "column %s: %s is read as %s, since commas are decimal ones in column %s"
        _LOG.warning(told, column.name, first, first.replace(".", ""), commas)
        return column.str.replace(".", "", regex=False)
    if doubtful := doubtful_points(numbers):
        raise PlateError(
            f"{path}, column {column.name}: {doubtful} seems to hold a point between thousands, since other "
            f"numbers have none. Write {doubtful.replace('.', '')}, or, where it is a decimal point, "
            f"{doubtful.rstrip('0').rstrip('.')}."
        )
    return column


def _doubtful_points(column: pd.Series) -> str | None:
    """Find a number whose point may part thousands, where all that is filled are numbers."""
    filled = [number for number in column.unique() if number]
    numbers = all(re.fullmatch(_POINT_NUMBER, number) for number in filled)
    return doubtful_points(filled) if numbers else None


def _has_decimal_commas(column: pd.Series) -> bool:
    """Say whether all that is filled are numbers, some with a comma that parts no thousands."""
    commas = column[column.str.contains(",", regex=False)]
    numbers = column[column != ""].str.fullmatch(_DECIMAL).all()
    return bool(len(commas) and numbers and not commas.str.fullmatch(THOUSANDS).all())


def _with_points(column: pd.Series) -> pd.Series:
    """Write numbers with a point where all that is filled are numbers, some with a decimal comma."""
    if _has_decimal_commas(column):
        return column.str.replace(",", ".", regex=False)
    commas = column[column.str.contains(",", regex=False)]
    if len(commas) and column[column != ""].str.fullmatch(_DECIMAL).all():
        _say_unread(column, commas.iloc[0], "comma")
    return column


def _say_unread(column: pd.Series, number: str, mark: str) -> None:
    _LOG.warning(
        "column %s: %s may be thousands or decimals, and stays a text. Write it without a %s",
        column.name,
        number,
        mark,
    )
