"""Metadata tables: their columns recognised, joined to the fields."""

import logging
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from unicodedata import normalize

import pandas as pd

from cellssl.columns import (
    FIELD,
    PLATE,
    SITE,
    WELL,
    bare_name,
    find_column,
    find_synonym,
    row_names,
    texts_of,
    unit_column,
)
from cellssl.doses import is_dose
from cellssl.errors import PlateError
from cellssl.plates.grids import from_grids
from cellssl.plates.spreadsheets import read_spreadsheet
from cellssl.plates.vocabulary import NAMES, standard, told_once
from cellssl.punctuation import doubtful_points
from cellssl.wells import is_well, normalise_well, well_from
from cellssl.words import counted, listed

_LOG = logging.getLogger(__name__)

# Other names of the columns of wells, as `plain_name` writes them.
_ROWS, _COLUMNS = ("wellrow", "rowname"), ("col", "wellcolumn", "wellcol", "columnname")
_WELLS = ("wellposition", "wellname", "wellid", "welllabel", "wellpos", "wells")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
_TITLES = 9  # rows that may stand above the columns' names


def as_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Make columns numeric that are so wholly (empty cells aside); names and `007` stay strings.

    So do numbers whose points may part thousands (``1.000`` beside ``300``), which is said when the table
    is read; but for doses, which are then refused where it matters.
    """
    table = table.copy()
    for name in table.columns:
        if name in NAMES or not str(name).startswith("Metadata_"):
            continue
        values = texts_of(table[name])
        filled = values[~values.isin(["", "nan", "NaN", "NA"])]
        padded = filled.str.match(r"^[+-]?0\d")
        if filled.empty or padded.any() or pd.to_numeric(filled, errors="coerce").isna().any():
            continue
        if not is_dose(name) and doubtful_points([*filled.unique()]):
            continue
        table[name] = pd.to_numeric(values, errors="coerce")
    return table


def as_site(value: object) -> str:
    """Give a site its one spelling: `01`, `1` and the `1.0` of a table with gaps are the same site.

    Examples
    --------
    >>> as_site("007"), as_site("2.0"), as_site("centre")
    ('7', '2', 'centre')
    """
    text = str(value).strip()
    number = text.removesuffix(".0")
    return str(int(number)) if number.isdecimal() else text


def join(fields: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Add a metadata table's columns to the fields of the same plate, well and site.

    The table needs `Well`, or `Row` and `Column`, or is drawn as the plate lies; `Plate` and `Site` are heeded where
    it has them.

    Parameters
    ----------
    fields
        One row per field with ``Metadata_Plate``, ``Metadata_Well``, ``Metadata_Site``.
    path
        The CSV; each of its other columns becomes ``Metadata_<name>``.

    Returns
    -------
    tuple of pd.DataFrame
        The fields with the columns added (same rows and order); the keys of the fields without
        metadata; the keys in the metadata without a field.

    Raises
    ------
    PlateError
        When the table names no wells, says two things of one, or shares none with the fields.
    """
    table, keys = _name_columns(from_grids(read_spreadsheet(path), path), path)
    if PLATE in table:  # a Mac may write `é` as two signs
        ours = {normalize("NFC", plate): plate for plate in fields[PLATE].unique()}
        table[PLATE] = [ours.get(normalize("NFC", plate), plate) for plate in table[PLATE]]
    added = [str(name) for name in table if name not in keys]
    replaced = {*added, *map(unit_column, added)}  # a unit is about doses as they were
    kept = [str(name) for name in fields if name not in replaced]
    joined = fields[kept].merge(table, on=keys, how="left", indicator="_merge", validate="m:1")
    lone = (joined.pop("_merge") == "left_only").to_numpy()
    if lone.all():
        raise PlateError(_no_overlap(fields, table, keys, path))
    _say_plates(fields, table, path)
    strings = [name for name in added if not pd.api.types.is_numeric_dtype(joined[name])]
    joined[strings] = joined[strings].fillna("")
    present = pd.MultiIndex.from_frame(fields[keys].drop_duplicates())
    # A map of the whole plate has rows of wells where nothing was: no images are missing there.
    told = table[added].notna() & (table[added].astype(str) != "")
    used = told.any(axis=1) if added else True
    absent = table.loc[~pd.MultiIndex.from_frame(table[keys]).isin(present) & used, keys]
    return joined, fields.loc[lone, FIELD].drop_duplicates(), absent


def _say_plates(fields: pd.DataFrame, table: pd.DataFrame, path: Path) -> None:
    """Say that a table without plates is read for each, or which plates it and the images do not have in common."""
    ours = list(dict.fromkeys(fields[PLATE]))
    if PLATE not in table and len(ours) > 1:
        _LOG.info(
            "%s names no plates: its wells are taken for those of each of %s.%s",
            path,
            counted(len(ours), "plate"),
            _maybe_plate(table, None),
        )
    elif PLATE in table:
        lone = [plate for plate in ours if plate not in set(table[PLATE])]
        theirs = [plate for plate in table[PLATE].unique() if plate not in {*ours, ""}]
        if lone and theirs:
            _LOG.warning(
                "%s says nothing of plate %s, and there are no images of its plate %s: where they are the same, write "
                "them alike.%s",
                path,
                listed(lone, most=4),
                listed(theirs, most=4),
                _as_number(lone, theirs),
            )


def _name_columns(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Name the columns and the keys of a metadata table; take rows that agree once, and refuse others of one key."""
    table = told_once(table, path)
    used = [find_column(table, name) for name in ("Well", "Row", "Column", "Plate", "Site")]
    well, row, column, plate, site = used
    if well is None and (row is None or column is None):
        well = _other_wells(table)
        row, column = row or find_synonym(table, _ROWS), column or find_synonym(table, _COLUMNS)
    names = _columns_of_wells(table, well, row, column, path)
    keys = {WELL: read_wells(table, names, path)}
    if plate:
        keys[PLATE] = table[plate]
    if site:
        keys[SITE] = table[site].map(as_site)
    own = {row, column, plate, site} if well is None else {well, plate, site}
    others = {standard(name): table[name] for name in map(str, table) if name not in own}
    told = (pd.DataFrame(others, index=table.index) != "").any(axis=1)
    if plate and (empty := int((told & (table[plate] == "")).sum())):
        raise PlateError(
            f"{path}, column {plate}: empty in {empty} of {len(table)} rows. Of merged cells a spreadsheet saves the "
            "first alone: fill the others."
        )
    named = as_numbers(pd.DataFrame(keys | others))
    if copies := int(named.duplicated().sum()):
        _LOG.warning(
            "%s: %s with another in every column: taken once",
            path,
            counted(copies, "row agrees", "rows agree"),
        )
        named = named.drop_duplicates(ignore_index=True)
    twice = named.loc[named.duplicated(list(keys)), list(keys)].drop_duplicates()
    if len(twice):
        raise PlateError(
            f"{path} has several rows that differ for {listed(_labels(twice), most=8)}. Leave one row for each "
            f"well, or add a Plate or Site column that tells them apart.{_maybe_plate(table, plate)}"
        )
    return named, list(keys)


def _columns_of_wells(
    table: pd.DataFrame, well: str | None, row: str | None, column: str | None, path: Path
) -> list[str]:
    """Give the column that says which well a row is about, or the two that do."""
    if well is not None:
        return [well]
    if row is not None and column is not None:
        return [row, column]
    raise PlateError(
        f"{path} does not say which well its rows are about: it needs a column Well (or "
        f"Metadata_Well), or Row and Column. It has {', '.join(map(str, table.columns))}."
        f"{_maybe_wells(table)}{_maybe_names(table)}"
    )


def read_wells(table: pd.DataFrame, names: Sequence[str], path: Path) -> pd.Series:
    """Read each row's well from one column, or from two of rows and columns.

    Raises
    ------
    PlateError
        When one is none; says how many are, and which is the first.
    """
    parse: Callable[..., str] = normalise_well if len(names) == 1 else well_from
    wells, wrong = [], {}
    for number, values in enumerate(zip(*(table[name] for name in names), strict=True), start=1):
        try:
            wells.append(parse(*values))
        except PlateError as error:
            wrong[number] = str(error)
    if wrong:
        first = min(wrong)
        mend = "take out what is no row of a well, such as units and remarks"
        if len(names) == 2 and any((table[name] == "0").any() for name in names):
            mend = "where they count from 0, add 1 to all, since each other well would be read as one beside it"
        elif len(names) == 1 and table[names[0]].str.isdecimal().all():
            mend = "where wells are counted, write them as A01, since it depends on the plate which is meant"
        raise PlateError(
            f"{path}, column {' and '.join(names)}: {wrong[first]} So it is in {len(wrong)} of {len(table)} rows, "
            f"first in row {first} below the names: {mend}."
        )
    return pd.Series(wells, index=table.index)


def _other_wells(table: pd.DataFrame) -> str | None:
    """Find the column of wells by another name that is usual for it; None where it holds no wells."""
    there = [
        name
        for one in _WELLS
        if (name := find_synonym(table, (one,))) and _holds_wells(table[name])
    ]
    if there:
        _LOG.info("Metadata_Well is taken from %s", there[0])
    return there[0] if there else None


def _holds_wells(column: pd.Series) -> bool:
    values = [value for value in column.unique() if value != ""]
    return bool(values) and all(map(is_well, values))


def _maybe_wells(table: pd.DataFrame) -> str:
    """Name the column that seems to hold wells, or those of which one may."""
    meant = [repr(name) for name in map(str, table) if _holds_wells(table[name])]
    if len(meant) > 1:  # a dispenser's list has those that it takes from, too
        return f" {' and '.join(meant)} seem to hold wells: call Well those of the plate with the images."
    return f" {meant[0]} seems to hold them: call it Well." if meant else ""


def _maybe_names(table: pd.DataFrame) -> str:
    """Name the row that seems to hold the columns' names, below a title."""
    for number, row in enumerate(table.head(_TITLES).to_numpy().tolist(), start=1):
        if any(find_column(row, name) for name in ("Well", "Row", "Column")):
            return f" Row {number} below seems to hold the names of the columns: take out what stands above it."
    return ""


def _maybe_plate(table: pd.DataFrame, plate: str | None) -> str:
    """Name the column that seems to hold plates by another name."""
    words = ("plate", "barcode")
    meant = [name for name in map(str, table) if any(word in name.lower() for word in words)]
    return (
        f" If {bare_name(meant[0])!r} names the plates, call it Plate."
        if meant and not plate
        else ""
    )


def _as_number(ours: Sequence[str], theirs: Sequence[str]) -> str:
    """Name the plate of which a spreadsheet made a number, as it does of 1E05."""
    for one, other in product(ours, theirs):
        if _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other) and float(one) == float(other):
            return f" Of {one} a spreadsheet made {other}: have it take the column as text."
    return ""


def _labels(keys: pd.DataFrame) -> list[str]:
    ordered = [name for name in FIELD if name in keys]
    return row_names(keys[ordered].apply(texts_of))


def _no_overlap(fields: pd.DataFrame, table: pd.DataFrame, keys: list[str], path: Path) -> str:
    message = f"{path} has no row for any field that was found."
    for key in keys:
        ours, theirs = sorted(set(fields[key])), sorted(set(table[key]))
        if not set(ours) & set(theirs):
            what = bare_name(key).lower()
            message += (
                f" Its {what}s are {listed(theirs, most=4)}; the files' are {listed(ours, most=4)}."
            )
            if key == PLATE and (as_number := _as_number(ours, theirs)):
                message += as_number
            elif key == PLATE and len(ours) > 1:
                message += " Write the plates into the table as the files have them."
            elif key == PLATE:
                near = get_close_matches(ours[0], theirs, n=1) or theirs
                message += f" Name the plate with --plate-name, e.g. --plate-name '{near[0]}'."
                if len(theirs) > 1:
                    message += (
                        " Where each plate is a folder, begin --pattern with '(?P<plate>[^/]+)/'."
                    )
    return message
