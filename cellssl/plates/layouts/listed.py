"""Images that a table lists, one row per field: the tables of CellProfiler and DeepProfiler."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from cellssl.columns import FIELD, PLATE, SITE, WELL, find_column
from cellssl.errors import PlateError
from cellssl.plates.addresses import plane_address
from cellssl.plates.layouts.images import Images, readable
from cellssl.plates.layouts.layout import Listing
from cellssl.plates.layouts.naming import unmatched
from cellssl.plates.spreadsheets import read_spreadsheet
from cellssl.plates.tables import as_site, read_wells
from cellssl.plates.vocabulary import standard, told_once

_ROLES = {
    "plate": ("Plate",),
    "well": ("Well",),
    "row": ("Row",),
    "column": ("Column", "Col"),
    "site": ("Site", "Field", "FieldID"),
}
_COUNTERS = {"Plane": ("Plane", "PlaneID", "Z"), "Time": ("T", "TimepointID")}


def tables_of(
    images: Images, is_one: Callable[[pd.DataFrame], bool], *, name: str = "*.csv"
) -> list[Path]:
    """Find the tables that list images: the one given as metadata, or all so called below the folder.

    `is_one` looks at a table's columns and first rows.
    """
    if images.metadata is not None and is_one(read_spreadsheet(images.metadata, rows=9)):
        return [images.metadata]
    found = []
    for path in (images.folder / table for table in images.ending(".csv", ".csv.gz")):
        try:
            if fnmatch(path.name.lower().removesuffix(".gz"), name) and is_one(
                read_spreadsheet(path, rows=9)
            ):
                found.append(path)
        except PlateError:
            continue  # some other CSV: nobody said that it is a table of images
    return found


def describe(table: pd.DataFrame, images: Images, path: Path) -> pd.DataFrame:
    """Give what the rows of a table say of their fields: plate, well, site, plane, all metadata.

    Raises
    ------
    PlateError
        When it does not name wells.
    """
    about = table.filter(regex=r"(?i)^(?:image_)?metadata_").apply(
        lambda column: column.str.strip()
    )
    about = told_once(about, path)
    roles = {role: _first_column(about, names) for role, names in _ROLES.items()}
    used = set(roles.values())
    named: dict[str, Any] = {}
    for column, names in _COUNTERS.items():
        found = _first_column(about, names)
        if found is not None and about[found].str.fullmatch(r"\d+").all():
            named[column] = about[found].astype(int)
            used.add(found)
    named |= {standard(str(name)): about[name] for name in about if name not in used}
    named[PLATE] = _plates(about, roles["plate"], images, path)
    named[WELL] = _wells(about, roles, path)
    named[SITE] = about[roles["site"]].map(as_site) if roles["site"] else "1"
    return pd.DataFrame(named, index=table.index)


def _first_column(table: pd.DataFrame, names: Iterable[str]) -> str | None:
    found = (find_column(table, name) for name in names)
    return next((name for name in found if name is not None), None)


def _plates(about: pd.DataFrame, column: str | None, images: Images, path: Path) -> pd.Series | str:
    """Name the plates: as the user says, as the table does, or after the table's folder."""
    if images.plate:
        return images.plate
    parent, root = path.parent.resolve(), images.folder.resolve()
    inside = parent != root and parent.is_relative_to(root)
    default = parent.name if inside else images.name
    return about[column].where(about[column] != "", default) if column else default


def _wells(about: pd.DataFrame, roles: dict[str, str | None], path: Path) -> pd.Series:
    well, row, column = roles["well"], roles["row"], roles["column"]
    if well is not None:
        return read_wells(about, [well], path)
    if row is not None and column is not None:
        return read_wells(about, [row, column], path)
    raise PlateError(
        f"{path} does not say which well its rows are about: it needs Metadata_Well, or Metadata_Row "
        f"and Metadata_Column. It has {', '.join(map(str, about.columns)) or 'no Metadata_ columns'}."
    )


class _ImageFinder:
    """Finds a listed image on this machine, wherever the table was written.

    The path is taken as it stands, then below each of the folders where it may begin; failing that,
    the longest end of it that is the end of just one of the images below the plate's folder. A system
    that tells small from capital letters, or an umlaut from a letter with two dots, has been told those
    by one that does not: where no name is the same, they do not count.
    """

    def __init__(self, images: Images) -> None:
        self._folder = images.folder.resolve()
        self._paths = images.paths

    def find(self, listed: str, roots: Iterable[Path]) -> tuple[str | None, bool]:
        """Give the path below the plate's folder, or the whole one, and whether just that was listed.

        The path is None where there is no such image, or more than one.
        """
        listed = listed.replace("\\", "/")
        for path in (root / listed for root in roots):
            if path.is_file():
                whole = path.resolve()
                inside = whole.is_relative_to(self._folder)
                return (whole.relative_to(self._folder) if inside else whole).as_posix(), True
        found = (ends.find(listed) for ends in self._ends)
        return next(filter(None, found), None), False

    @cached_property
    def _ends(self) -> "tuple[_Ends, _Ends]":
        return _Ends(self._paths, str), _Ends(self._paths, _plain)


class _Ends:
    """Finds the one path with the longest end of another, both spelt in some way.

    Plates whose names repeat from folder to folder have each image's name as often as there are plates: it is the
    folders that are told apart by their ends.
    """

    def __init__(self, paths: Iterable[str], spelt: Callable[[str], str]) -> None:
        self._spelt = spelt
        self._named: dict[str, str | None] = {}  # None: several
        self._whole: dict[str, str | None] = {}
        for path in paths:
            whole = spelt(path)
            for key, known in ((whole, self._whole), (_name(whole), self._named)):
                known[key] = None if key in known else path
        self._folders: dict[tuple[str, ...], list[str]] = {}
        for folder in {whole.rpartition("/")[0] for whole in self._whole} - {""}:
            parts = tuple(folder.split("/"))
            for start in range(len(parts)):
                self._folders.setdefault(parts[start:], []).append(folder)

    def find(self, listed: str) -> str | None:
        """Give the path, or None where there is none, or more than one."""
        parts = PurePosixPath(self._spelt(listed)).parts
        name = parts[-1] if parts else ""
        only = self._named.get(name)
        if only is not None or name not in self._named:
            return only
        for start in range(len(parts) - 1):
            folders = self._folders.get(parts[start:-1], ())
            found = [whole for folder in folders if (whole := f"{folder}/{name}") in self._whole]
            if found:
                return self._whole[found[0]] if len(found) == 1 else None
        return None


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _plain(name: str) -> str:
    """Spell a name as systems do that tell neither capitals nor composed letters apart."""
    return unicodedata.normalize("NFC", name).casefold()


def listing_of(
    tables: Mapping[Path, pd.DataFrame],
    images: Images,
    roots: Callable[[Path], list[Path]],
) -> Listing:
    """Find every image that tables list.

    Parameters
    ----------
    tables
        Of each table one row per listed image: what `describe` gives, ``Channel``, ``Listed`` (a
        path, as the table has it) and ``Page`` (a page's number, or -1).
    images
        The plate's files.
    roots
        The folders where the paths of a table may begin.

    Raises
    ------
    PlateError
        When none of the images is there.
    """
    source = ", ".join(dict.fromkeys(path.name for path in tables))
    finder = _ImageFinder(images)
    entries = pd.concat([_find_all(table, finder, roots(path)) for path, table in tables.items()])
    entries = entries.drop_duplicates([*FIELD, "Channel", "Listed", "Page", "File"])
    entries, problems, notes = _only_images(entries)
    fields = len(entries[FIELD].drop_duplicates())
    used = set(entries["File"].dropna())
    files, claimed = _claim_once(entries.dropna(subset="File"), source)
    if files.empty:
        raise PlateError(
            f"none of the images that {source} lists is in {images.folder}, such as "
            f"{entries['Listed'].iloc[0] if len(entries) else '(nothing)'}: index the folder that "
            "holds them, or mend the paths in the table."
        )
    problems += claimed
    problems += [
        unmatched(path, f"not listed in {source}") for path in images.paths if path not in used
    ]
    channels = tuple(dict.fromkeys(entries["Channel"]))
    absent = fields - len(files[FIELD].drop_duplicates())
    files = files.drop(columns=["Listed", "Page", "File", "_Exact"]).reset_index(drop=True)
    joins = images.metadata not in tables
    return Listing(files, channels, problems, absent, joins=joins, notes=notes)


def _find_all(table: pd.DataFrame, finder: _ImageFinder, roots: list[Path]) -> pd.DataFrame:
    begin = [root.resolve() for root in roots]
    found = [finder.find(listed, begin) if listed else (None, False) for listed in table["Listed"]]
    files = pd.Series([path for path, _ in found], index=table.index, dtype=object)
    return table.assign(File=files, _Exact=[exact for _, exact in found])


def _only_images(
    entries: pd.DataFrame,
) -> tuple[pd.DataFrame, list[dict[str, str]], tuple[str, ...]]:
    """Leave out empty cells and what is no image: whole channels with a note, single files by name."""
    entries = entries[entries["Listed"] != ""]
    usable = entries["Listed"].isin(readable(entries["Listed"]))
    images = set(entries.loc[usable, "Channel"])
    foreign = entries[~usable]
    strange = foreign[~foreign["Channel"].isin(images)]
    notes = tuple(
        f"{channel} is left out: its {len(group):,} files, such as "
        f"{PurePosixPath(group['Listed'].iloc[0]).name}, are not read (TIFFs are; PNGs where there are none)"
        for channel, group in strange.groupby("Channel")
    )
    single = foreign[foreign["Channel"].isin(images)]
    problems = [
        unmatched(path, "neither TIFF nor, where there are none, PNG") for path in single["Listed"]
    ]
    return entries[usable].reset_index(drop=True), problems, notes


def _claim_once(files: pd.DataFrame, source: str) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Give each plane to one field: a listed path beats a mere name; two equal claims are a problem."""
    addresses = [
        plane_address(path, page=page if page >= 0 else None)
        for path, page in zip(files["File"].astype(str), files["Page"], strict=True)
    ]
    files = files.assign(Path=addresses)
    best = files.groupby("Path")["_Exact"].transform("max")
    files = files[files["_Exact"] == best]
    twice = files["Path"].duplicated(keep=False)
    problems = [
        unmatched(
            str(path), f"{source} lists it for {len(group)} images; which one it is cannot be told"
        )
        for path, group in files[twice].groupby("Path")
    ]
    return files[~twice], problems
