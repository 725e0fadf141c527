"""Yokogawa CellVoyager (CV7000, CV8000) and CQ1.

CellVoyager's names are ``<plate>_A01_T0001F001L01A01Z01C01.tif`` (time point, field, time line,
action, plane, channel), CQ1's ``W0001F0001T0001Z001C1.tif``, whose wells are counted along the
rows. ``MeasurementData.mlf`` says the same of every image and gives rows and columns;
``MeasurementDetail.mrf`` gives the size of the plate and the name of the ``.mes``, the protocol of the
measurement, which names the channels. Plane 0 is the microscope's own projection.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.markup import MarkupError, Record, records
from cellssl.plates.layouts.naming import (
    channels_of,
    evidence,
    present,
    read_names,
    with_channel_names,
)
from cellssl.plates.tables import as_site
from cellssl.wells import PLATES, normalise_well, well_from
from cellssl.words import counted, listed

_KIND = "Yokogawa (<plate>_A01_T0001F001L01A01Z01C01.tif or W0001F0001T0001Z001C1.tif)"
_NAME = re.compile(
    r"(?:(?P<plate>.+)_(?P<well>[A-Z]\d{2}|A[A-F]\d{2})_T(?P<time>\d{4})F(?P<site>\d{3,4})"
    r"L\d{2}A\d{2}Z(?P<plane>\d{2,3})C(?P<channel>\d{2})"
    r"|W(?P<number>\d{4})F(?P<site2>\d{4})T(?P<time2>\d{4})Z(?P<plane2>\d{3})C(?P<channel2>\d{1,2}))"
    r"\.(?:tiff?|png)",
    re.IGNORECASE,
)
# Dark current and shading, which the microscope keeps beside its images.
_CORRECTION = re.compile(r"[DS]C_.+\.(?:tiff?|png)", re.IGNORECASE)
# Number of wells → columns, of the plates that are guessed.
_COLUMNS = {rows * columns: columns for rows, columns in PLATES if rows >= 8}


class Yokogawa(Layout):
    """Images by MeasurementData.mlf where it is there, else by their names."""

    name = "yokogawa"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise a .mlf beside images, or names of either form."""
        lists = images.ending(".mlf")
        if lists:
            return Evidence(Grade.CONTENT, f"{lists[0]} lists images as Yokogawa writes it")
        return evidence(images, _NAME, _KIND)

    def find(self, images: Images) -> Listing:
        """Read each .mlf; one that is damaged is replaced by the names, if they speak."""
        images, left_out = _without_corrections(images)
        lists = images.ending(".mlf")
        listing = _find_by_lists_or_names(images, lists) if lists else _find_by_names(images)
        names, damaged = _channel_names(images)
        listing = replace(listing, notes=(*listing.notes, *left_out, *damaged))
        return with_channel_names(listing, names)


def _find_by_lists_or_names(images: Images, lists: tuple[str, ...]) -> Listing:
    try:
        return _find_by_lists(images, lists)
    except MarkupError as error:
        if evidence(images, _NAME, _KIND) is None:
            raise
        listing = _find_by_names(images)
        note = f"{error} It is not used: everything is read from the files' names"
        return replace(listing, notes=(*listing.notes, note))


def _channel_names(images: Images) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Read the channels' names, by fluorophore or else by target, from each .mes; say what is damaged.

    Where a .mrf says which .mes was used, others that lie there are not looked at.
    """
    names = {}
    try:
        details = [
            record
            for path in images.ending(".mrf")
            for record in records(images.folder / path, "MeasurementDetail")
        ]
        used = {record.get("MeasurementSettingFileName").lower() for record in details} - {""}
        for path in images.ending(".mes"):
            if not used or PurePosixPath(path).name.lower() in used:
                names[path] = {
                    str(int(record["Ch"])): (
                        record.get("Fluorophore") or record.get("Target")
                    ).strip()
                    for record in records(images.folder / path, "Channel")
                    if record.get("Ch").isdecimal()
                }
    except MarkupError as error:
        return {}, (f"{error} It is not used: channels keep their numbers",)
    return names, ()


def _find_by_lists(images: Images, lists: tuple[str, ...]) -> Listing:
    """Take the images that the lists name; those not there are missing, others are problems."""
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for path in lists:
        below = PurePosixPath(path).parent
        for record in records(images.folder / path, "MeasurementRecord"):
            if record.get("Type", "IMG") == "IMG":
                rows.append(_row_of(record, below, images, path))
            else:
                failed.append(_describe_failure(record))
    if not rows:
        raise MarkupError(f"{images.folder / lists[0]} lists no images.")
    table = pd.DataFrame(rows)
    files, problems, absent = present(
        table, images, source=images.folder / lists[0], document="the .mlf"
    )
    channels, notes = channels_of(table["Channel"]), _note_failures(failed)
    return Listing(files, channels, problems, absent, notes=notes, projected=True)


def _describe_failure(record: Record) -> str:
    """Say where and why the microscope took no image: ``E08 (AF failed)``."""
    try:
        where = well_from(record["Row"], record["Column"])
    except (KeyError, PlateError):
        where = "a well that is not named"
    return f"{where} ({record.text.strip()})" if record.text.strip() else where


def _note_failures(failed: list[str]) -> tuple[str, ...]:
    if not failed:
        return ()
    reports = counted(len(failed), "error")
    return (f"the .mlf has {reports} of the microscope: {listed(sorted(set(failed)), most=8)}",)


def _without_corrections(images: Images) -> tuple[Images, tuple[str, ...]]:
    """Leave out the images that the microscope corrects others with; say so."""
    left_out = images.named(_CORRECTION)
    if not left_out:
        return images, ()
    names = {found.string for found in left_out}
    kept = tuple(path for path in images.files if path.rpartition("/")[2] not in names)
    note = (
        f"{counted(len(left_out), 'image')} that the microscope corrects with (DC_, SC_) left out"
    )
    return replace(images, files=kept), (note,)


def _row_of(record: Record, below: PurePosixPath, images: Images, path: str) -> dict[str, Any]:
    try:
        named = _NAME.fullmatch(PurePosixPath(record.text).name)
        return {
            PLATE: images.plate or (named["plate"] if named else None) or _plate(below, images),
            WELL: well_from(record["Row"], record["Column"]),
            SITE: as_site(record["FieldIndex"]),
            "Channel": str(int(record["Ch"])),
            "Plane": int(record.get("ZIndex", "1")),
            "Time": int(record.get("TimePoint", "1")),
            "Path": (below / record.text.replace("\\", "/")).as_posix(),
        }
    except (KeyError, ValueError) as error:
        raise MarkupError(
            f"{images.folder / path}: the record of {record.text!r} is not as expected ({error})."
        ) from error


def _plate(folder: PurePosixPath, images: Images) -> str:
    """Name a plate after its folder, in which CQ1 parts planes from projections by folders of their own."""
    inner = folder.name.lower() in ("image", "projection")
    return (folder.parent if inner else folder).name or images.name


def _find_by_names(images: Images) -> Listing:
    well, notes = _counted_wells(images)

    def row(found: re.Match[str], path: PurePosixPath) -> dict[str, Any]:
        parts = {
            name: found[name] or found[f"{name}2"] for name in ("time", "site", "plane", "channel")
        }
        return {
            PLATE: images.plate or found["plate"] or _plate(path.parent, images),
            WELL: normalise_well(found["well"]) if found["well"] else well(found["number"]),
            SITE: as_site(parts["site"]),
            "Channel": str(int(parts["channel"])),
            "Plane": int(parts["plane"]),
            "Time": int(parts["time"]),
        }

    listing = read_names(images, _NAME, row, kind=_KIND)
    return replace(listing, notes=notes, projected=True)


def _counted_wells(images: Images) -> tuple[Callable[[str], str], tuple[str, ...]]:
    """Say how CQ1's numbers become wells: by the .mrf, else by the smallest plate that has them."""
    numbers = [int(found["number"]) for found in images.named(_NAME) if found["number"]]
    columns, notes = _plate_columns(images, max(numbers)) if numbers else (12, ())

    def well(number: str) -> str:
        row, column = divmod(int(number) - 1, columns)
        return well_from(row + 1, column + 1)

    return well, notes


def _plate_columns(images: Images, highest: int) -> tuple[int, tuple[str, ...]]:
    found = {
        int(record["ColumnCount"])
        for path in images.ending(".mrf")
        for record in records(images.folder / path, "MeasurementDetail")
        if record.get("ColumnCount").isdecimal()
    }
    if len(found) == 1:
        return found.pop(), ()
    wells = next((wells for wells in _COLUMNS if highest <= wells), max(_COLUMNS))
    why = "the .mrf files differ" if found else "there is no .mrf with the size of the plate"
    note = (
        f"wells W0001 to W{highest:04d} are counted along the rows of a {wells}-well plate: {why}, "
        "and this is the smallest that has them"
    )
    return _COLUMNS[wells], (note,)
