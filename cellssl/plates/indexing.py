"""From a plate's folder to its `PlateIndex`: files sorted into fields and joined to metadata."""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from cellssl.errors import PlateError
from cellssl.plates import layouts
from cellssl.plates.controls import mark_controls
from cellssl.plates.layouts import Images, Layout, Listing
from cellssl.plates.plateindex import PROBLEM_COLUMNS, PlateIndex
from cellssl.plates.tables import as_numbers, join

__all__ = ["index"]

logger = logging.getLogger(__name__)

_KEYS = ["Metadata_Plate", "Metadata_Well", "Metadata_Site"]
_FIRST = [
    *_KEYS,
    "Metadata_Batch",
    "Metadata_Compound",
    "Metadata_Concentration",
    "Metadata_MOA",
    "Metadata_Control",
]


def index(
    folder: str | Path,
    *,
    layout: str = "auto",
    pattern: str | None = None,
    metadata: str | Path | None = None,
    moa: str | Path | None = None,
    channels: Mapping[str, str] | None = None,
    plate: str | None = None,
    control_column: str | None = None,
    negative: str | None = None,
    positive: str | None = None,
) -> PlateIndex:
    r"""Find the fields of one or more plates.

    Parameters
    ----------
    folder
        Where the TIFFs lie, at any depth.
    layout
        `bbbc021`, `pattern`, or `auto`, which takes the one that recognises the files.
    pattern
        Regular expression searched for in each path below `folder` (with `/`). Named groups:
        `channel`, and `well` or `row` and `column`; if need be `plate` and `site`.
    metadata
        CSV with a row per well (`Well`, or `Row` and `Column`; `Plate`, `Site` if need be);
        for `bbbc021` its image.csv, which is also found in the folder.
    moa
        For `bbbc021` the CSV of mechanisms; by default the one beside image.csv.
    channels
        New names: `{"1": "GFP", "2": "DNA"}`. Its order is the order of the channels; those it does
        not name are left out, with a warning.
    plate
        The plate's name where neither names nor metadata have one; by default the folder's.
    control_column, negative, positive
        The metadata column that marks controls, and its values for them; `-1` is `-1.0`.

    Returns
    -------
    PlateIndex
        Complete fields, and everything that was wrong with the others.

    Raises
    ------
    PlateError
        When nothing can be read from the names, or the metadata contradict themselves. Extra and
        missing files are no errors: they are listed in `problems`.

    Examples
    --------
    ::

        index(
            "plate1049",
            pattern=r"Channel(?P<channel>\d)-\d+-(?P<row>[A-H])-(?P<column>\d+)\.tif",
            metadata="1049.csv",
            channels={"1": "GFP", "2": "DNA"},
        )
    """
    folder = Path(folder)
    files = _walk(folder)
    images = Images(
        folder=folder,
        paths=_images(files, folder),
        tables=tuple(path for path in files if path.lower().endswith((".csv", ".csv.gz"))),
        plate=plate,
        pattern=pattern,
        metadata=_file(metadata, "--metadata"),
        moa=_file(moa, "--moa"),
    )
    listing = _choose(layout, images).find(images)
    listing = _rename(listing, channels)
    fields, problems = _sort_into_fields(listing)
    absent = listing.absent
    if listing.metadata is not None:
        fields, lone, missing = join(fields, listing.metadata)
        detail = f"not in {listing.metadata.name}"
        problems += [_problem(key, "no metadata", detail) for key in lone.to_numpy()]
        absent += len(missing)
    fields = mark_controls(fields, control_column, negative=negative, positive=positive)
    complete = fields.pop("_Complete").astype(bool)
    found = PlateIndex(
        _ordered(as_numbers(fields[complete]), listing.channels, images.folder),
        listing.channels,
        _problem_table([*problems, *listing.problems]),
        absent,
    )
    logger.info("%s: %s", folder, found.summary())
    return found


def _walk(folder: Path) -> list[str]:
    """List the files below a folder in one walk; linked folders are followed, each once."""
    if not folder.is_dir():
        raise PlateError(f"{folder} is not a folder; wanted the folder of a plate's TIFF files.")
    paths: list[str] = []
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(root).relative_to(folder)
        paths += [(below / name).as_posix() for name in files if not name.startswith(".")]
    return sorted(paths)


def _images(paths: list[str], folder: Path) -> tuple[str, ...]:
    """Pick the TIFFs."""
    images = tuple(path for path in paths if path.lower().endswith((".tif", ".tiff")))
    if not images:
        raise PlateError(
            f"{folder} holds no TIFF files (.tif, .tiff), at any depth; "
            "wanted one grey TIFF per field and channel."
        )
    return images


def _file(path: str | Path | None, option: str) -> Path | None:
    if path is not None and not Path(path).is_file():
        raise PlateError(f"{option} {path}: there is no such file.")
    return None if path is None else Path(path)


def _choose(name: str, images: Images) -> Layout:
    if name != "auto":
        return layouts.get(name)
    found = layouts.recognise(images)
    if found is None:
        examples = "\n".join(f"  {path}" for path in images.paths[:3])
        raise PlateError(
            f"the file names in {images.folder} follow no layout that is known "
            f"({', '.join(layouts.names())}), such as\n{examples}\n"
            "Describe them with --pattern, a regular expression with named groups; for a file like "
            r"B02_s1_w2.tif: --pattern '(?P<well>[A-P]\d\d)_s(?P<site>\d+)_w(?P<channel>\d)\.tif'."
        )
    chosen, reason = found
    logger.info("layout %s: %s", chosen.name, reason)
    return chosen


def _rename(listing: Listing, names: Mapping[str, str] | None) -> Listing:
    """Name, order and choose channels as the user wants them."""
    wanted = {
        listing.aliases.get(str(old), str(old)): str(new).strip()
        for old, new in (names or {name: name for name in listing.channels}).items()
    }
    unknown = [name for name in wanted if name not in listing.channels]
    if unknown:
        raise PlateError(
            f"there is no channel {', '.join(map(repr, unknown))} to rename; the files have "
            f"{', '.join(listing.channels)}."
        )
    new = list(wanted.values())
    bad = [name for name in new if not name or "/" in name or new.count(name) > 1]
    if bad:
        raise PlateError(
            f"{bad[0]!r} cannot name a channel: names must differ, not be empty and hold no '/'."
        )
    unused = [name for name in listing.channels if name not in wanted]
    if unused:
        logger.warning("channels left out because --channel does not name them: %s", unused)
    files = listing.files[listing.files["Channel"].isin(wanted)]
    return replace(
        listing, files=files.assign(Channel=files["Channel"].map(wanted)), channels=tuple(new)
    )


def _sort_into_fields(listing: Listing) -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Put the files of each field side by side; `_Complete` marks the fields that lack nothing."""
    files = listing.files
    twice = files.duplicated([*_KEYS, "Channel"], keep=False)
    groups = files[twice].groupby([*_KEYS, "Channel"])["Path"]
    problems = [
        _problem(key[:3], "duplicate", f"{key[3]}: {', '.join(sorted(paths))}")
        for key, paths in ((tuple(map(str, key)), paths) for key, paths in groups)
    ]
    paths = files.pivot_table(index=_KEYS, columns="Channel", values="Path", aggfunc="first")
    paths = paths.reindex(columns=list(listing.channels))
    lacking = paths.isna()
    for key, row in lacking[lacking.any(axis=1)].iterrows():
        names = ", ".join(str(name) for name in row.index[row])
        problems.append(_problem(key, "incomplete", f"lacks {names}"))
    doubled = paths.index.isin(pd.MultiIndex.from_frame(files.loc[twice, _KEYS]))
    paths = paths.add_prefix("Path_").assign(_Complete=~lacking.any(axis=1) & ~doubled)
    about = files.drop(columns=["Channel", "Path"]).drop_duplicates(_KEYS)
    return about.merge(paths.reset_index(), on=_KEYS, how="left", validate="1:1"), problems


def _problem(key: Any, problem: str, detail: str) -> dict[str, str]:
    """Make a row of the problems; `key` is plate, well and site."""
    return dict(zip(_KEYS, key, strict=True)) | {"Problem": problem, "Detail": detail}


def _ordered(fields: pd.DataFrame, channels: tuple[str, ...], folder: Path) -> pd.DataFrame:
    """Sort rows and columns, make paths whole."""
    paths = [f"Path_{channel}" for channel in channels]
    first = [name for name in _FIRST if name in fields]
    others = [name for name in fields if name not in {*first, *paths}]
    base = folder.resolve()
    fields = fields[[*first, *others, *paths]].copy()
    for name in paths:
        fields[name] = [str(base / path) for path in fields[name]]
    return fields.sort_values(_KEYS, key=_sort_key, ignore_index=True)


def _sort_key(column: pd.Series) -> pd.Series:
    """Sort rows A, B, …, Z, AA and sites 1, 2, …, 10 as people do."""
    if column.name == "Metadata_Well":
        return column.str.extract(r"(\D+)")[0].str.len().astype(str) + column
    if column.name == "Metadata_Site":
        return column.str.zfill(9)
    return column


def _problem_table(problems: list[dict[str, str]]) -> pd.DataFrame:
    table = pd.DataFrame(problems, columns=PROBLEM_COLUMNS, dtype=object).fillna("")
    return table.sort_values(PROBLEM_COLUMNS, ignore_index=True)
