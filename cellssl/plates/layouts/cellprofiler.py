"""Tables for CellProfiler's LoadData: one row per field, a file name and path per channel.

``FileName_<channel>`` and ``PathName_<channel>`` (or one ``PathName`` for all), or ``URL_<channel>``
alone (``file:///D:/a%20plate/x.tif``), also with ``Image_`` before; ``Frame_<channel>`` is the page of a
file with several; everything else that is heeded is called ``Metadata_*``.
"""

import re
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

from cellssl.columns import find_column
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.listed import describe, listing_of, tables_of
from cellssl.plates.layouts.naming import channel_name
from cellssl.plates.spreadsheets import read_spreadsheet

_FILE = re.compile(r"(?P<prefix>(?:Image_)?)(?P<kind>FileName|URL)_(?P<channel>.+)", re.IGNORECASE)
_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]+):(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


class CellProfiler(Layout):
    """Fields, channels and metadata as LoadData tables have them; names mean nothing."""

    name = "cellprofiler"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise tables with FileName_<channel> or URL_<channel> and wells."""
        found = tables_of(images, _is_load_data)
        if not found:
            return None
        return Evidence(Grade.TABLE, f"{found[0].name} lists images for CellProfiler's LoadData")

    def find(self, images: Images) -> Listing:
        """Read all such tables."""
        found = tables_of(images, _is_load_data)
        if not found:
            raise PlateError(
                f"{images.folder} holds no CSV with FileName_<channel> (or URL_<channel>) and "
                "Metadata_Well; give one with --metadata."
            )
        tables = {path: _entries(path, images) for path in found}
        return listing_of(tables, images, lambda path: [path.parent, images.folder])


def _is_load_data(table: pd.DataFrame) -> bool:
    wells = find_column(table, "Well") or find_column(table, "Row")
    return wells is not None and any(map(_FILE.fullmatch, table.columns))


def _entries(path: Path, images: Images) -> pd.DataFrame:
    """Make a row of each listed image."""
    table = read_spreadsheet(path)
    about = describe(table, images, path)
    columns = {str(name).lower(): str(name) for name in table}

    def column(kind: str, found: re.Match[str], *, shared: bool = True) -> pd.Series | None:
        names = [f"{found['prefix']}{kind}_{found['channel']}"]
        names += [kind, f"Image_{kind}"] if shared else []
        name = next((columns[name.lower()] for name in names if name.lower() in columns), None)
        return None if name is None else table[name].str.strip()

    entries = []
    for found in _image_columns(table):
        folder, frame = column("PathName", found), column("Frame", found)
        _only_first_series(column("Series", found, shared=False), path)
        names = table[found[0]].str.strip()
        if found["kind"].lower() == "url":
            folder, names = None, names.map(_path_of_url)
        entries.append(
            about.assign(
                Channel=channel_name(found["channel"]),
                Listed=names if folder is None else _join_paths(folder, names),
                Page=0 if frame is None else _pages(frame, path),
            )
        )
    together = pd.concat(entries, ignore_index=True)
    # Where all are the first page, files have one page and need no number.
    return together if (together["Page"] > 0).any() else together.assign(Page=-1)


def _image_columns(table: pd.DataFrame) -> list[re.Match[str]]:
    """Give the column of each channel's images: its file names, or its URLs where it has no names."""
    found = list(filter(None, map(_FILE.fullmatch, map(str, table.columns))))
    named = {one["channel"].lower() for one in found if one["kind"].lower() == "filename"}
    return [
        one
        for one in found
        if one["kind"].lower() == "filename" or one["channel"].lower() not in named
    ]


def _path_of_url(url: str) -> str:
    """Make a path of a URL as CellProfiler writes it; what is no URL stays as it is.

    ``file:///D:/a%20plate/x.tif`` and ``file:/D:/…`` give ``D:/a plate/x.tif``; of other addresses the
    whole is kept, so that the image is found by the end of it.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return url
    path = unquote(found["rest"])
    if found["scheme"].lower() == "file":
        path = re.sub(r"\A//(?:localhost)?(?=/)", "", path, flags=re.IGNORECASE)  # no host, or this
    return re.sub(r"\A/+(?=[A-Za-z]:)", "", path)


def _only_first_series(series: pd.Series | None, path: Path) -> None:
    """Refuse images beyond the first of a file: a Frame does not say on which page they begin."""
    if series is None:
        return
    later = ~series.isin(["", "0"]) & (pd.to_numeric(series, errors="coerce") != 0)
    if later.any():
        raise PlateError(
            f"{path}: {series.name} has {series[later].iloc[0]!r}; of files with several series only "
            "the first is read. Index the images themselves, e.g. with --layout ome-tiff, or save a "
            "file for each series."
        )


def _join_paths(folders: pd.Series, names: pd.Series) -> pd.Series:
    """Put folder and name together; what has no name is not there."""
    whole = folders.str.rstrip("/\\") + "/" + names
    return whole.where(folders != "", names).where(names != "", "")


def _pages(frames: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(frames.where(frames != "", "0"), errors="coerce")
    wrong = numbers.isna() | (numbers < 0) | (numbers % 1 != 0)
    if wrong.any():
        raise PlateError(f"{path}: {frames.name} has {frames[wrong].iloc[0]!r}, wanted a page.")
    return numbers.astype(int)
