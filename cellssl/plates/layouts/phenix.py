"""Revvity (PerkinElmer) Opera Phenix and Operetta, as Harmony stores and exports plates.

Beside the images lies ``Index.xml`` (``Index.idx.xml`` in archives), which says of every image its
well, field, plane, channel and position. Without it the names speak:
``r01c01f01p01-ch1sk1fk1fl1.tiff`` is row, column, field, plane, channel and time point (``sk``), of newer versions
``r01c01f01p01-ch01t01.tiff``.
"""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.markup import MarkupError, Record, records
from cellssl.plates.layouts.naming import channel_name, evidence, present, read_names
from cellssl.plates.tables import as_site
from cellssl.wells import well_from

_KIND = "Opera Phenix (r01c01f01p01-ch1sk1fk1fl1.tiff)"
_NAME = re.compile(
    r"r(?P<row>\d{2})c(?P<column>\d{2})f(?P<site>\d{2,})(?:p(?P<plane>\d{2,}))?"
    r"-ch0?(?P<channel>\d{1,2})(?:(?:sk|t)(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?\.(?:tiff?|png)",
    re.IGNORECASE,
)
_SEAM = 0.02  # of a field's area: less is the stage's inaccuracy, and hardly a cell
_INDEX = ("index.xml", "index.idx.xml")  # the first is preferred


class Phenix(Layout):
    """Images by Index.xml where it is there, else by their names."""

    name = "phenix"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise Harmony's Index.xml, or names with row, column, field and channel."""
        indexes = [path for path in _indexes(images) if _is_harmonys(images, path)]
        if indexes:
            return Evidence(Grade.CONTENT, f"{indexes[0]} is an index as Harmony writes it")
        return evidence(images, _NAME, _KIND)

    def find(self, images: Images) -> Listing:
        """Read each Index.xml; one that is damaged is replaced by the names, if they speak."""
        indexes = _indexes(images)
        if not indexes:
            return _find_by_names(images)
        try:
            found = [_Index(images, path) for path in indexes]
        except MarkupError as error:
            if evidence(images, _NAME, _KIND) is None:
                raise PlateError(
                    f"{error} The files' names do not say what it said: export the plate again, or "
                    "describe them with --pattern."
                ) from error
            listing = _find_by_names(images)
            note = (
                f"{error} It is not used: wells, fields and planes are read from the names, "
                "channels have numbers instead of names, positions are not known"
            )
            return replace(listing, notes=(*listing.notes, note))
        return _join_plates(images, found)


def _indexes(images: Images) -> list[str]:
    """Give the index of each folder that has one."""
    chosen: dict[str, str] = {}
    for wanted in reversed(_INDEX):
        for path in images.ending(".xml"):
            pure = PurePosixPath(path)
            if pure.name.lower() == wanted:
                chosen[str(pure.parent)] = path
    return sorted(chosen.values())


def _is_harmonys(images: Images, path: str) -> bool:
    """Tell Harmony's index from another Index.xml by how it begins."""
    with (images.folder / path).open("rb") as file:
        start = file.read(4096).replace(b"\0", b"")
    return b"EvaluationInputData" in start or b"HarmonyV" in start


class _Index:
    """One Index.xml: the rows of its images, and the names of its channels."""

    def __init__(self, images: Images, path: str) -> None:
        self.path = path
        below = PurePosixPath(path).parent
        plate = ""
        names: dict[str, str] = {}
        rows: list[dict[str, Any]] = []
        sizes: dict[str, float] = {}
        for record in records(images.folder / path, "Plate", "Entry", "Image"):
            if record.name == "Plate":
                plate = plate or record.get("Name") or record.get("PlateID")
            elif record.name == "Entry" and record.get("ChannelName"):
                names.setdefault(record.get("ChannelID"), record["ChannelName"])
                sizes = sizes or _sides(record)
            elif record.name == "Image" and record.get("URL"):
                rows.append(self._row(record, below))
                sizes = sizes or _sides(record)
        if not rows:
            raise MarkupError(f"{images.folder / path} lists no images.")
        table = pd.DataFrame(rows)
        self.overlap = _overlap(table, sizes)
        folder = below.parent.name if below.name.lower() == "images" else below.name
        channels = table["Channel"].map(names).fillna(table.pop("_Named"))
        table["Number"] = table["Channel"]
        table["Channel"] = channels.where(channels != "", table["Channel"]).map(channel_name)
        table[PLATE] = images.plate or plate or folder or images.name
        self.table = table

    def _row(self, record: Record, below: PurePosixPath) -> dict[str, Any]:
        """Read one image; older Harmony names the channel right here."""
        try:
            row: dict[str, Any] = {
                WELL: well_from(record["Row"], record["Col"]),
                SITE: as_site(record["FieldID"]),
                "Channel": record["ChannelID"],
                "_Named": record.get("ChannelName"),
                "Plane": int(record.get("PlaneID", "1")),
                "Time": int(record.get("TimepointID", "0")),
                "Path": (below / record["URL"].replace("\\", "/")).as_posix(),
            }
            for axis in ("Y", "X"):
                if record.get(f"Position{axis}"):
                    row[f"Metadata_Position_{axis}"] = round(
                        float(record[f"Position{axis}"]) * 1e6, 3
                    )
        except (KeyError, ValueError) as error:
            raise MarkupError(
                f"{self.path}: the image {record.get('id', '?')} is not described as expected "
                f"({error})."
            ) from error
        return row


def _sides(record: Record) -> dict[str, float]:
    """Give the sides of a field in µm; Harmony says pixels and their size of a channel, or of each image."""
    try:
        return {
            axis: float(record[f"ImageSize{axis}"]) * float(record[f"ImageResolution{axis}"]) * 1e6
            for axis in ("Y", "X")
        }
    except (KeyError, ValueError):
        return {}


def _overlap(table: pd.DataFrame, sides: dict[str, float]) -> float:
    """Say what share of a field lies in another of the same well, at most; 0 where it is not known."""
    columns = [f"Metadata_Position_{axis}" for axis in sides]
    if not columns or not set(columns) <= set(table) or min(sides.values()) <= 0:
        return 0.0
    fields = table.drop_duplicates([WELL, SITE])
    largest = 0.0
    for _, own in fields.groupby(WELL):
        places = own[columns].to_numpy() / np.array([*sides.values()])  # (fields, Y and X) in sides
        apart = np.abs(places[:, None] - places)
        common = np.clip(1 - apart, 0, None).prod(axis=-1)
        np.fill_diagonal(common, 0)
        largest = max(largest, float(np.nan_to_num(common).max()))
    return largest


def _join_plates(images: Images, indexes: list[_Index]) -> Listing:
    """Put the plates together; what is listed and not there is missing, what is there and not listed is a problem."""
    table = pd.concat([index.table for index in indexes], ignore_index=True)
    files, problems, absent = present(table, images, source=indexes[0].path, document="Index.xml")
    pairs = table.drop_duplicates(["Number", "Channel"])
    ordered = sorted(
        zip(pairs["Number"], pairs["Channel"], strict=True), key=lambda pair: int(pair[0])
    )
    aliases = dict(ordered) if pairs["Number"].is_unique else {}
    channels = tuple(dict.fromkeys(channel for _, channel in ordered))
    files = files.drop(columns="Number")
    overlap = max(index.overlap for index in indexes)
    notes: tuple[str, ...] = ()
    if overlap > _SEAM:
        notes = (
            f"fields of a well overlap, by {overlap:.0%} of their area at most: a cell there is found in each "
            "of them, and counts as several",
        )
    return Listing(files, channels, problems, absent, aliases, notes=notes)


def _find_by_names(images: Images) -> Listing:
    def row(found: re.Match[str], path: PurePosixPath) -> dict[str, Any]:
        folder = path.parent.parent if path.parent.name.lower() == "images" else path.parent
        return {
            PLATE: images.plate or folder.name or images.name,
            WELL: well_from(found["row"], found["column"]),
            SITE: as_site(found["site"]),
            "Channel": str(int(found["channel"])),
            "Plane": int(found["plane"] or 1),
            "Time": int(found["time"] or 1),
        }

    return read_names(images, _NAME, row, kind=_KIND)
