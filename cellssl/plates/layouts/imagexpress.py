"""Molecular Devices ImageXpress, as MetaXpress stores and exports plates.

Names are ``<prefix>_<Well>_s<site>_w<channel><GUID>.tif``; plates of one site leave out ``_s``, those
of one channel ``_w``, exports the GUID, which others write as ``_[GUID]``. ``TimePoint_<n>`` and
``ZStep_<n>`` are folders; an image beside the ZStep folders is the microscope's own projection.
Thumbnails are called ``_thumb``. The plate's ``.HTD``, lines such as ``"WaveName1", "DAPI"``, names
the channels.
"""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Layout, Listing
from cellssl.plates.layouts.naming import evidence, read_names, with_channel_names
from cellssl.plates.tables import as_site
from cellssl.wells import normalise_well
from cellssl.words import listed

_KIND = "ImageXpress (<prefix>_<Well>_s<site>_w<channel><GUID>.tif)"
_NAME = re.compile(
    # Anywhere behind a well, Z01 is a plane, T01 a time and S01 a site, and no well of rows Q to Z:
    # such names are others', but for a site right behind its well.
    r"(?!(?:.*_)?(?:[A-P]|A[A-F])\d\d_(?:.*_)?(?!(?<=[A-P]\d\d_)s)[Q-Z]\d\d_[sw]\d)"
    r"(?:(?P<prefix>.+?)_)??(?P<well>(?:[A-Z]|A[A-F])\d\d)(?=_[sw]\d)(?:_s(?P<site>\d{1,4}))?"
    r"(?:_w(?P<channel>\d{1,2}?))?(?P<thumb>_thumb)?"
    r"(?:(?P<open>_\[)?[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}(?(open)\]))?\.(?:tiff?|png)",
    re.IGNORECASE,
)
_WELL = re.compile(r"(?<![^_])(?:[A-P]|A[A-F])\d\d(?![^_])", re.IGNORECASE)
_TIME = re.compile(r"TimePoint_(\d+)", re.IGNORECASE)
_STEP = re.compile(r"ZStep_(\d+)", re.IGNORECASE)
_WAVE = re.compile(r'^"WaveName(\d+)"\s*,\s*"?([^"\r\n]*?)\s*"?\s*$', re.MULTILINE)
_HTD = '"HTSInfoFile"'  # how it begins


class ImageXpress(Layout):
    """Everything from the names; the plate is the folder of images or of their time points."""

    name = "imagexpress"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise names with a well, then a site or a wave."""
        return evidence(images, _NAME, _KIND)

    def find(self, images: Images) -> Listing:
        """Read every name; thumbnails are counted and left out."""
        thumbs = 0
        prefixes: dict[str, set[str]] = {}

        def row(found: re.Match[str], path: PurePosixPath) -> dict[str, Any] | None:
            nonlocal thumbs
            if found["thumb"]:
                thumbs += 1
                return None
            folder, time, plane = _folders(path)
            plate = images.plate or folder or images.name
            prefix = found.string[: found.start("well")].removesuffix("_")
            prefixes.setdefault(plate, set()).add(prefix)
            return {
                PLATE: plate,
                WELL: normalise_well(found["well"]),
                SITE: as_site(found["site"] or "1"),
                "Channel": found["channel"] or "1",
                "Plane": plane,
                "Time": time,
            }

        listing = read_names(images, _own_names(images), row, kind=_KIND)
        notes = [f"{thumbs:,} thumbnails (_thumb) left out"] if thumbs else []
        notes += [
            f"plate {plate}: its names begin with {listed(sorted(names), most=4)}, which are taken for one plate; "
            r"where they are several, part them by --pattern '(?P<plate>[^/]+)_(?P<well>[A-Z]+\d\d)_s(?P<site>\d+)"
            r"_w(?P<channel>\d)(?!_thumb)'"
            for plate, names in prefixes.items()
            if len(names) > 1
        ]
        listing = replace(listing, notes=tuple(notes), projected=True)
        return with_channel_names(listing, _wave_names(images))


def _own_names(images: Images) -> re.Pattern[str]:
    """Say how images are named here: what other wells begin with is no well, so that P12_Q01_s1_w1 is in row Q."""
    prefixes = {str(found["prefix"]) for found in images.named(_NAME)}
    like_wells = "|".join(re.escape(name) for name in sorted(prefixes) if _WELL.search(name))
    return (
        re.compile(f"(?:(?:{like_wells})_)?{_NAME.pattern}", re.IGNORECASE) if like_wells else _NAME
    )


def _wave_names(images: Images) -> dict[str, dict[str, str]]:
    """Read the channels' names from each .HTD that has some; it is text of the microscope's Windows."""
    found = {}
    for path in images.ending(".htd"):
        try:
            text = (images.folder / path).read_bytes().decode("cp1252", errors="replace")
        except OSError as error:
            raise PlateError(
                f"{images.folder / path} cannot be read: {error.strerror or error}."
            ) from error
        if text.startswith(_HTD) and (names := dict(_WAVE.findall(text))):
            found[path] = names
    return found


def _folders(path: PurePosixPath) -> tuple[str, int, int]:
    """Read plate, time point and plane from the folders above an image."""
    time, plane = 1, 0
    plate = ""
    for name in path.parts[:-1]:
        if found := _TIME.fullmatch(name):
            time = int(found[1])
        elif found := _STEP.fullmatch(name):
            plane = int(found[1])
        else:
            plate = name
    return plate, time, plane
