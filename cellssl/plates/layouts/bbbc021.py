"""BBBC021 (Broad Bioimage Benchmark Collection): MCF-7 cells, DAPI, tubulin and actin.

Names are ``[<prefix>_]<well>_s<site>_w<channel><GUID>.tif``: the digit after ``_w`` is the channel
and the GUID follows at once. Plate, compound and concentration stand in ``BBBC021_v1_image.csv``,
the site only in the name, the mechanism in ``BBBC021_v1_moa.csv``. There is no channel 3.
See https://bbbc.broadinstitute.org/BBBC021.
"""

import re
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from cellssl.columns import BATCH, COMPOUND, CONCENTRATION, CONTROL, PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.naming import read_names
from cellssl.plates.spreadsheets import read_spreadsheet
from cellssl.plates.tables import as_site
from cellssl.wells import normalise_well

_CHANNELS = {"1": "DAPI", "2": "Tubulin", "4": "Actin"}
_NAME = re.compile(
    r"(?:.+_)?(?P<well>[A-P]\d\d)_s(?P<site>\d+)_w(?P<channel>\d)"
    r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\.(?:tif|png)",
    re.IGNORECASE,
)
_WEEK = re.compile(r"Week\d+")
_COLUMNS = [
    "Image_Metadata_Plate_DAPI",
    "Image_Metadata_Compound",
    "Image_Metadata_Concentration",
]


class Bbbc021(Layout):
    """Files by their names, wherever they lie below the folder; all else from image.csv."""

    name = "bbbc021"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise the published image.csv, or the channels that this data set has and lacks.

        The names are those of any ImageXpress: it is w1, w2 and w4 without a w3, in plates called
        Week1_…, that tell.
        """
        table = _image_csv(images)
        if table is not None:
            return Evidence(Grade.TABLE, f"{table.name} is BBBC021's image.csv")
        channels = [found["channel"] for found in images.named(_NAME)]
        here = (images.folder.resolve().as_posix(), *images.paths)
        if set(channels) != set(_CHANNELS) or not any(map(_WEEK.search, here)):
            return None
        reason = (
            f"{len(channels):,} files of some Week have BBBC021's channels w1, w2, w4 and no w3"
        )
        return Evidence(Grade.DATA_SET, reason, len(channels) / len(images.paths))

    def find(self, images: Images) -> Listing:
        """Match files by name with image.csv; without it take the plate from the folder's name."""
        listing = _read_file_names(images)
        files, problems = listing.files, listing.problems
        image_csv, moa = _image_csv(images), images.moa
        absent = 0
        if image_csv is not None:
            files, unlisted, absent = _join_image_csv(files, read_spreadsheet(image_csv), image_csv)
            problems += unlisted
            moa = moa or _moa_csv(image_csv.parent)
        files[BATCH] = [
            _batch(plate, path) for plate, path in zip(files[PLATE], files["Path"], strict=True)
        ]
        if moa is not None:
            files = _join_mechanisms(files, moa)
        channels, joins = tuple(_CHANNELS.values()), image_csv is None
        return Listing(files, channels, problems, absent, dict(_CHANNELS), joins)


def _read_file_names(images: Images) -> Listing:
    """Read well, site and channel of each file from its name."""

    def row(found: re.Match[str], path: PurePosixPath) -> dict[str, str]:
        if found["channel"] not in _CHANNELS:
            raise PlateError(f"no channel w{found['channel']}")
        return {
            PLATE: images.plate or path.parent.name or images.name,
            WELL: normalise_well(found["well"]),
            SITE: as_site(found["site"]),
            "Channel": _CHANNELS[found["channel"]],
        }

    return read_names(
        images, _NAME, row, kind="BBBC021's (<well>_s<site>_w<channel><GUID>.tif, no w3)"
    )


def _image_csv(images: Images) -> Path | None:
    """Find the published table: the one given, or the only one below the folder."""
    if images.metadata is not None:
        return images.metadata if _is_image_csv(images.metadata) else None
    tables = (images.folder / name for name in images.ending(".csv", ".csv.gz"))
    found = [path for path in tables if "image.csv" in path.name.lower() and _is_image_csv(path)]
    return _only(found, "--metadata")


def _is_image_csv(path: Path) -> bool:
    return {"Image_FileName_DAPI", *_COLUMNS} <= set(read_spreadsheet(path, rows=0).columns)


def _moa_csv(folder: Path) -> Path | None:
    """Find the mechanisms beside image.csv."""
    tables = (path for path in sorted(folder.glob("*.csv")) if not path.name.startswith("."))
    return _only([path for path in tables if path.name.lower().endswith("moa.csv")], "--moa")


def _only(found: list[Path], option: str) -> Path | None:
    if len(found) > 1:
        raise PlateError(
            f"there are {len(found)} tables of one kind: {', '.join(map(str, found[:4]))}. "
            f"Choose one with {option}."
        )
    return found[0] if found else None


def _join_image_csv(
    files: pd.DataFrame, table: pd.DataFrame, path: Path
) -> tuple[pd.DataFrame, list[dict[str, str]], int]:
    """Give the files what image.csv says of them; count the fields of which none is here."""
    plate, compound, concentration = (table[name] for name in _COLUMNS)
    known = {
        PLATE: plate,
        COMPOUND: compound,
        CONCENTRATION: _numbers(concentration, path),
        "Metadata_ConcentrationUnit": "uM",
        CONTROL: np.where(compound.str.upper() == "DMSO", "negative", ""),
    }
    if "Replicate" in table:
        known["Metadata_Replicate"] = _numbers(table["Replicate"], path)
    fields = pd.DataFrame(known).assign(_Field=np.arange(len(table)))
    listed = [
        fields.assign(_Name=table[f"Image_FileName_{channel}"]) for channel in _CHANNELS.values()
    ]
    lookup = pd.concat(listed, ignore_index=True)
    if lookup["_Name"].duplicated().any():
        name = lookup.loc[lookup["_Name"].duplicated(), "_Name"].iloc[0]
        raise PlateError(f"{path} lists {name} more than once.")
    files = files.assign(_Name=[PurePosixPath(name).name for name in files["Path"]])
    files = files.rename(columns={PLATE: "_Folder"}).merge(lookup, on="_Name", how="left")
    unlisted = files["_Field"].isna()
    files[PLATE] = files[PLATE].fillna(files["_Folder"])
    strings = [COMPOUND, CONTROL]
    files[strings] = files[strings].fillna("")
    problems = [
        {"Problem": "no metadata", "Detail": f"{name} is not listed in {path.name}"}
        for name in files.loc[unlisted, "Path"]
    ]
    absent = len(table) - files["_Field"].nunique()
    return files.drop(columns=["_Name", "_Field", "_Folder"]), problems, absent


def _join_mechanisms(files: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Join the mechanisms on compound and concentration (as numbers: 0.10 is 0.1)."""
    table = read_spreadsheet(path)
    if not {"compound", "concentration", "moa"} <= set(table):
        raise PlateError(
            f"{path} is no table of mechanisms: wanted compound, concentration, moa; "
            f"got {', '.join(table.columns)}."
        )
    if COMPOUND not in files:
        raise PlateError(f"{path} cannot be joined without image.csv: give it with --metadata.")
    keys = zip(table["compound"], _numbers(table["concentration"], path).round(9), strict=True)
    moa = dict(zip(keys, table["moa"], strict=True))
    compounds = zip(files[COMPOUND], files[CONCENTRATION].round(9), strict=True)
    return files.assign(Metadata_MOA=[moa.get(key, "") for key in compounds])


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        raise PlateError(
            f"{path}: {column.name} has {column[numbers.isna()].iloc[0]!r}, wanted a number."
        )
    return numbers


def _batch(plate: str, path: str) -> str:
    found = _WEEK.match(plate) or _WEEK.search(path)
    return found[0] if found else ""
