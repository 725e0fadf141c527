"""Wells, every spelling of which becomes `A01`, and the plates that hold them: 6 to 1536 (`AF48`)."""

import re
from collections.abc import Iterable
from string import ascii_uppercase

from cellssl.errors import PlateError

# Rows and columns of the usual plates, 6 to 1536 wells.
PLATES = ((2, 3), (3, 4), (4, 6), (6, 8), (8, 12), (16, 24), (32, 48))
_NAME = re.compile(r"\s*([A-Za-z]{1,2})[\s_-]*0*(\d{1,2})\s*")
_NUMBERED = re.compile(r"\s*r0*(\d{1,2})c0*(\d{1,2})\s*", re.IGNORECASE)
ROWS = [*ascii_uppercase, *(f"A{letter}" for letter in "ABCDEF")]  # 32 rows of a 1536-well plate
_COLUMNS = 48


def normalise_well(name: str) -> str:
    """Give a well its one spelling: upper-case row, column of two digits.

    Rows and columns may also be numbered, as Harmony does: ``r02c03`` is B03.

    Raises
    ------
    PlateError
        When the name is not a row (A to AF) followed by a column (1 to 48).

    Examples
    --------
    >>> normalise_well("b3"), normalise_well("P024"), normalise_well("aa1"), normalise_well("r02c03")
    ('B03', 'P24', 'AA01', 'B03')
    """
    found = _NAME.fullmatch(str(name)) or _NUMBERED.fullmatch(str(name))
    if not found:
        raise PlateError(
            f"{str(name)!r} is not a well; wanted a row and a column, such as A01 or P24."
        )
    return well_from(found[1], found[2])


def is_well(name: object) -> bool:
    """Say whether a name is a well's, and not a slide's, say.

    Examples
    --------
    >>> is_well("b3"), is_well("slide 7")
    (True, False)
    """
    try:
        normalise_well(str(name))
    except PlateError:
        return False
    return True


def well_or_name(name: object) -> str:
    """Give a well its one spelling; what is no well, as a slide's name, stays.

    Examples
    --------
    >>> well_or_name("b3"), well_or_name("slide 7")
    ('B03', 'slide 7')
    """
    return normalise_well(str(name)) if is_well(name) else str(name).strip()


def well_from(row: str | int, column: str | int) -> str:
    """Put a row (letters, or a number from 1) and a column (a number from 1) together.

    Of a table with gaps the numbers may be written ``1.0``.

    Raises
    ------
    PlateError
        When there is no such row or column on a plate.

    Examples
    --------
    >>> well_from("c", "7"), well_from(3, 7), well_from("27", "1.0")
    ('C07', 'C07', 'AA01')
    """
    row, column = (str(part).strip().upper().removesuffix(".0") for part in (row, column))
    if row.isdecimal() and 1 <= int(row) <= len(ROWS):
        row = ROWS[int(row) - 1]
    if row not in ROWS or not column.isdecimal() or not 1 <= int(column) <= _COLUMNS:
        raise PlateError(
            f"row {row!r} and column {column!r} are not a well; wanted a row from A to AF "
            f"(or 1 to {len(ROWS)}) and a column from 1 to {_COLUMNS}."
        )
    return f"{row}{int(column):02d}"


def well_place(name: str) -> tuple[int, int]:
    """Give a well's row and column, counted from 0.

    Raises
    ------
    PlateError
        When the name is no well's.

    Examples
    --------
    >>> well_place("B03"), well_place("AA01")
    ((1, 2), (26, 0))
    """
    well = normalise_well(name)
    return ROWS.index(well[:-2]), int(well[-2:]) - 1


def plate_format(places: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """Tell rows and columns of the plate that wells lie on, from their places.

    Some wells may be the corner of any larger plate: the smallest usual one that has them is taken from
    96 wells on. A smaller one is, where they show it: they reach its last row and its last column,
    and three quarters of it are there.

    Examples
    --------
    >>> plate_format([(0, 0), (7, 12)])
    (16, 24)
    >>> plate_format([(0, 0), (0, 1), (0, 2)])
    (8, 12)
    >>> plate_format((row, column) for row in range(4) for column in range(6) if row != column)
    (4, 6)
    """
    there = set(places)
    height, width = (max((place[axis] for place in there), default=0) + 1 for axis in (0, 1))
    return next(
        (rows, columns)
        for rows, columns in PLATES
        if (rows >= 8 and rows >= height and columns >= width)
        or ((rows, columns) == (height, width) and 4 * len(there) >= 3 * rows * columns)
    )
