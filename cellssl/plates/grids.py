"""Tables that are drawn as the plate lies: rows A, B, … and columns 1, 2, …, one or several below each other."""

import logging
import re
from itertools import pairwise, takewhile
from pathlib import Path

import pandas as pd

from cellssl.columns import find_column
from cellssl.errors import PlateError
from cellssl.plates.decimals import without_thousands
from cellssl.wells import ROWS, is_well, well_from
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)
# What stands above the rows and does not say what a grid holds.
_CORNERS = {"row", "rows", "column", "columns", "col", "well", "wells", "plate"}


def from_grids(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Give a row for each well, and a column for each grid; a table that has none stays as it is.

    A grid is named in its upper left corner, left of its columns, or in a line of its own above.

    Raises
    ------
    PlateError
        When one has no name but a plate's, or a row twice, or two have the same name; when points seem to part the
        thousands of doses.
    """
    head = ["" if name.startswith("Unnamed: ") else name for name in map(str, table.columns)]
    lines = [head, *table.to_numpy().tolist()]
    if find_column(table, "Well") and not (_columns(head) and _rows(lines[1:])):
        return table
    grids: dict[str, dict[str, str]] = {}
    for start, line in enumerate(lines):
        columns = _columns(line)
        rows = _rows(lines[start + 1 :]) if columns else []
        if not rows:
            continue
        name = _name(line, lines[max(start - 1, 0)])
        if not name or name in grids:
            what = f"two grids are called {name}" if name else "what a grid holds is not said"
            raise PlateError(
                f"{path} is drawn as the plate lies, and {what}: write it, such as Compound or "
                "Concentration, into its upper left corner, left of its columns. Several plates want a table with a "
                "row for each well, and a column Plate."
            )
        letters = [row[0].upper() for row in rows]
        if len(set(letters)) < len(letters):
            twice = next(letter for letter in letters if letters.count(letter) > 1)
            raise PlateError(f"{path}, {name}: row {twice} is there twice: leave one.")
        grids[name] = {
            well_from(row[0], column): text
            for row in rows
            for column, text in zip(columns, row[1:], strict=False)
        }
    if not grids:
        return table
    wells = pd.DataFrame(grids).fillna("").apply(without_thousands, path=path)
    wells = wells[(wells != "").any(axis=1)].rename_axis("Well").reset_index()
    said = counted(len(wells), "well")
    _LOG.info("%s is drawn as the plate lies: read for %s are %s", path, said, listed([*grids]))
    return wells


def _columns(line: list[str]) -> list[str]:
    """Give the plate's columns where they follow each other in a line that has nothing else."""
    columns = [text.removesuffix(".0") for text in line[1:] if text]
    names = line[0].isdecimal() or line[0].upper() in ROWS  # row A of the doses 1, 2, 3 is no head
    if names or len(columns) < 2 or not all(line[1 : 1 + len(columns)]):
        return []
    if not all(column.isdecimal() and is_well(f"A{column}") for column in columns):
        return []
    steps = {int(right) - int(left) for left, right in pairwise(columns)}
    return columns if steps == {1} else []


def _rows(lines: list[list[str]]) -> list[list[str]]:
    """Take the lines of rows A, B, … that follow each other."""
    return list(takewhile(lambda line: line[0].upper() in ROWS, lines))


def _name(head: list[str], above: list[str]) -> str:
    title = [text for text in above if text]
    for name in (head[0], *(title if len(title) == 1 else ())):
        if {*re.findall(r"[^\W\d_]+", name.lower())} - _CORNERS:
            return name
    return ""
