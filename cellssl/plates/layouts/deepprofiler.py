"""DeepProfiler's ``index.csv``: one row per field, one column of paths per channel.

Paths are relative to ``images``, which lies beside the ``metadata`` folder of the table:
``inputs/metadata/index.csv`` and ``inputs/images/…``. All that is no path is metadata, whatever it is
called: DeepProfiler's own example names treatments ``pert_name``.
"""

import re
from pathlib import Path

import pandas as pd

from cellssl.columns import bare_name, find_column
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images, readable
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.listed import describe, listing_of, tables_of
from cellssl.plates.layouts.naming import channel_name
from cellssl.plates.spreadsheets import read_spreadsheet

_FILE = re.compile(r".*\.(?:tiff?|png|jpe?g|npy|npz|csv)", re.IGNORECASE)


class DeepProfiler(Layout):
    """Fields, channels and metadata as index.csv has them; names mean nothing."""

    name = "deepprofiler"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise an index.csv with Metadata_Well and columns of image paths."""
        found = _indices(images)
        if not found:
            return None
        return Evidence(Grade.TABLE, f"{found[0]} lists images as DeepProfiler's index.csv does")

    def find(self, images: Images) -> Listing:
        """Read the table."""
        found = _indices(images)
        if not found:
            raise PlateError(
                f"{images.folder} holds no index.csv with Metadata_Well and a column of paths per "
                "channel; give it with --metadata."
            )
        tables = {path: _entries(path, images) for path in found}
        return listing_of(tables, images, lambda path: _roots(path, images.folder))


def _entries(path: Path, images: Images) -> pd.DataFrame:
    """Make a row of each listed image."""
    table = read_spreadsheet(path)
    about = describe(_with_metadata(table), images, path)
    entries = [
        about.assign(Channel=channel_name(name), Listed=table[name].str.strip(), Page=-1)
        for name in _channels(table, images)
    ]
    return pd.concat(entries, ignore_index=True)


def _with_metadata(table: pd.DataFrame) -> pd.DataFrame:
    """Call columns metadata that hold no files, unless there are some of that name."""
    taken = {bare_name(name).lower() for name in table if bare_name(name) != name}
    names = {
        name: f"Metadata_{name}"
        for name in table
        if bare_name(name) == name
        and name.lower() not in taken
        and not name.startswith("Path_")
        and not table[name].str.strip().map(_FILE.fullmatch).any()
    }
    return table.rename(columns=names)


def _indices(images: Images) -> list[Path]:
    """Find the tables that have wells and columns of image paths."""

    def is_one(table: pd.DataFrame) -> bool:
        return find_column(table, "Well") is not None and bool(_channels(table, images))

    return tables_of(images, is_one, name="index.csv")


def _channels(table: pd.DataFrame, images: Images) -> list[str]:
    """List the columns that hold paths of images; PNGs of a plate of TIFFs are none."""
    others = [str(name) for name in table if not str(name).startswith(("Metadata_", "Path_"))]
    listed = (path for name in others for path in table[name])
    usable = readable([*images.paths, *listed])
    return [name for name in others if table[name].isin(usable).any()]


def _roots(table: Path, folder: Path) -> list[Path]:
    """Say where paths may begin, the usual place first."""
    beside = [table.parent.parent / "images", table.parent]
    return [*beside, folder / "images", folder / "inputs" / "images", folder]
