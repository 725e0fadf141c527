"""Tables that are drawn as the plate lies: rows A, B, … and columns 1, 2, …, one or several below each other."""

import logging
from pathlib import Path

import pandas as pd

from cellssl.errors import PlateError
from cellssl.wells import ROWS, well_from
from cellssl.words import counted, listed

__all__ = ["from_grids"]

_LOG = logging.getLogger(__name__)
_CORNERS = ("", "row", "rows", "well", "wells", "<>")  # what stands above the rows and is no name


def from_grids(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Give a row for each well, and a column for each grid; a table that has none stays as it is.

    A grid is named in its upper left corner, left of column 1, or in a line of its own above.

    Raises
    ------
    PlateError
        When a grid has no name, or two have the same.
    """
    head = ["" if name.startswith("Unnamed: ") else name for name in map(str, table.columns)]
    lines = [head, *table.to_numpy().tolist()]
    starts = [number for number, line in enumerate(lines) if _columns(line)]
    starts = [number for number in starts if _rows(lines[number + 1 :])]
    grids: dict[str, dict[str, str]] = {}
    for start in starts:
        name = _name(lines[start], lines[max(start - 1, 0)])
        if not name or name in grids:
            what = f"two grids are called {name}" if name else "a grid has no name"
            raise PlateError(
                f"{path} is drawn as the plate lies, and {what}: write what it holds, such as Compound or "
                "Concentration, into its upper left corner, left of column 1. Several plates want a table with a row "
                "for each well, and a column Plate."
            )
        grids[name] = {
            well_from(line[0], column): text
            for line in _rows(lines[start + 1 :])
            for column, text in enumerate(line[1 : 1 + _columns(lines[start])], start=1)
        }
    if not grids:
        return table
    wells = pd.DataFrame(grids).fillna("")
    wells = wells[(wells != "").any(axis=1)].rename_axis("Well").reset_index()
    said = counted(len(wells), "well")
    _LOG.info("%s is drawn as the plate lies: read for %s are %s", path, said, listed([*grids]))
    return wells


def _columns(line: list[str]) -> int:
    """Count the plate's columns in a line that has their numbers, from 1, and nothing else; 0 for any other."""
    numbers = [text.removesuffix(".0").lstrip("0") for text in line[1:] if text]
    counts = numbers == [str(number) for number in range(1, len(numbers) + 1)]
    return len(numbers) if counts and len(numbers) > 1 else 0


def _rows(lines: list[list[str]]) -> list[list[str]]:
    """Take the lines of rows A, B, … that follow each other."""
    ends = (number for number, line in enumerate(lines) if line[0].upper() not in ROWS)
    return lines[: next(ends, len(lines))]


def _name(head: list[str], above: list[str]) -> str:
    if head[0].lower() not in _CORNERS:
        return head[0]
    title = [text for text in above if text]
    return title[0] if len(title) == 1 else ""
