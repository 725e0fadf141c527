"""OME-TIFF: several channels and planes in a file, described by the OME-XML inside it.

Hyperstacks of ImageJ are read alike: its header says of how many channels, slices and frames, in this
order, the pages are. A `channel` of the pattern names the channel of files that have one.

Wells and sites come from the OME Plate where there is one, else from `--pattern`, else from the
file's name: ``plate_B03_s2.ome.tif`` has a well, and a site after `s`, `f`, `site` or `field`, or as a bare
number behind the well: ``B03_2.ome.tif``.
The XML may lie in another file beside the image's, as that of all of MicroManager's positions but the first
does. It is read by cellssl itself, without document types or entities; see
https://docs.openmicroscopy.org/ome-model/6.3.1/ome-tiff/specification.html.
"""

import re
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pandas as pd
import tifffile

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.addresses import plane_address
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.markup import UnsafeMarkupError, parse
from cellssl.plates.layouts.naming import unmatched
from cellssl.plates.layouts.ome_xml import File, Master, Plane, images_of, planes_in, wells_of
from cellssl.plates.layouts.pattern import (
    CountedFromZeroError,
    compile_pattern,
    place,
    refuse_cut_wells,
)
from cellssl.plates.planes import DAMAGE
from cellssl.plates.tables import as_site
from cellssl.wells import normalise_well

_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.tf2", ".ome.tf8", ".ome.btf")
_IMAGEJ = '<OME><Image ID="ImageJ">'  # how its header begins when it is said in OME-XML
_WELL = re.compile(r"(?<![A-Za-z0-9])((?:[A-P]|A[A-F])[-_ ]?\d{1,2})(?![A-Za-z0-9])")
_SITE = re.compile(
    r"(?<![A-Za-z])(?:site|field|fld|pos|s|f)[-_ ]?(\d+)(?![A-Za-z0-9])", re.IGNORECASE
)


class OmeTiff(Layout):
    """Channels, planes and wells by the OME-XML of each file."""

    name = "ome-tiff"
    takes_pattern = True

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise names that end in .ome.tif, or a first file that describes several planes.

        Of ImageJ's only those with several channels: where there is one, names may tell the others.
        """
        if not images.paths:
            return None
        named = sum(path.lower().endswith(_SUFFIXES) for path in images.paths)
        if 2 * named >= len(images.paths):
            reason = f"{named:,} of {len(images.paths):,} files are called .ome.tif"
            return Evidence(Grade.CONTENT, reason, named / len(images.paths))
        try:
            xml, pages = _read_description(images, images.paths[0])
        except PlateError:
            return None
        if not xml or pages < 2 or (xml.startswith(_IMAGEJ) and 'SizeC="1"' in xml):
            return None
        what = "the header of ImageJ" if xml.startswith(_IMAGEJ) else "OME-XML"
        return Evidence(Grade.CONTENT, f"{images.paths[0]} has {pages} pages and {what}")

    def find(self, images: Images) -> Listing:
        """Read the OME-XML of every file."""
        pattern = compile_pattern(images.pattern) if images.pattern else None
        rows: list[dict[str, Any]] = []
        problems = []
        masters: dict[str, Master] = {}
        for path in images.paths:
            try:
                rows += _rows_of_file(images, path, pattern, masters)
            except UnsafeMarkupError as error:
                raise UnsafeMarkupError(
                    f"the OME-XML of {images.folder / path} {error}."
                ) from error
            except CountedFromZeroError:
                raise
            except PlateError as error:
                problems.append(unmatched(path, str(error)))
        if not rows:
            if not problems:
                raise PlateError(images.nothing)
            first = problems[0]["Detail"]
            raise PlateError(f"{images.folder} holds no OME-TIFF that can be used; {first}.")
        files = pd.DataFrame(rows).fillna("")
        return Listing(files, tuple(dict.fromkeys(files["Channel"])), problems)


def _read_description(images: Images, path: str) -> tuple[str, int]:
    """Give a file's OME-XML (of ImageJ its like, else "") and the number of its pages."""
    try:
        with tifffile.TiffFile(images.folder / path) as file:
            first, pages = file.pages.first, len(file.pages)
            if first.is_ome or not first.is_imagej:
                return (first.description if first.is_ome else ""), pages
            about = file.imagej_metadata or {}
    except DAMAGE as error:
        raise PlateError(f"cannot be read as a TIFF ({error})") from error
    c, z, t = (int(about.get(name, 1)) for name in ("channels", "slices", "frames"))
    if c * z * t != pages:
        raise PlateError(
            f"ImageJ's header says {c} channels, {z} slices and {t} frames, and it has {pages} pages"
        )
    sizes = f'SizeC="{c}" SizeZ="{z}" SizeT="{t}"'
    return (
        f'{_IMAGEJ}<Pixels DimensionOrder="XYCZT" {sizes}><TiffData/></Pixels></Image></OME>',
        pages,
    )


def _rows_of_file(
    images: Images, path: str, pattern: re.Pattern[str] | None, masters: dict[str, Master]
) -> list[dict[str, Any]]:
    """Make a row of every plane in a file; `masters` keeps what other files say of it."""
    xml, pages = _read_description(images, path)
    wells, here = _read_ome_xml(xml, path, images, masters)
    rows = []
    several = len({plane.channel for _, planes in here for plane in planes}) > 1
    for number, (image, planes) in enumerate(here, start=1):
        about = wells.get(image)
        if about is None:
            about = _place_by_name(images, path, pattern)
            if len(here) > 1:
                about[SITE] = str(number)
        about = {**about, PLATE: images.plate or about[PLATE] or images.name}
        named = about.pop("Channel", "")
        rows += [
            about
            | {
                "Channel": plane.channel if several or not named else named,
                "Plane": plane.z + 1,
                "Time": plane.t + 1,
                "Path": plane_address(path, page=plane.page if pages > 1 else None),
            }
            for plane in planes
            if plane.page < pages
        ]
    if not rows:
        raise PlateError("none of the planes that its OME-XML describes is in this file")
    return rows


def _read_ome_xml(
    xml: str, path: str, images: Images, masters: dict[str, Master]
) -> tuple[dict[str, dict[str, str]], list[tuple[str, list[Plane]]]]:
    """Read OME-XML: the well of each image that the OME Plate knows; the images here, with planes."""
    if not xml:
        raise PlateError("no OME-XML")
    root = parse(xml)
    this = File(PurePosixPath(path).name, root.get("UUID"), alone=True)
    binary = root.find("BinaryOnly")
    try:
        if binary is None:
            wells, own = wells_of(root), images_of(root)
        else:
            name = PurePosixPath(binary.get("MetadataFile", "").replace("\\", "/")).name
            master = PurePosixPath(path).with_name(name or "companion.ome").as_posix()
            if master not in masters:
                masters[master] = Master.of(parse(_read_master(images, master)))
            this = replace(this, alone=False)
            wells, own = masters[master].wells, masters[master].images_in(this)
        found = [(image, planes_in(pixels, this)) for image, pixels in own]
        return wells, [(image, planes) for image, planes in found if planes]
    except PlateError:
        raise
    except (KeyError, ValueError) as error:
        raise PlateError(f"its OME-XML is not as expected ({error!r})") from error


def _read_master(images: Images, path: str) -> str:
    """Give the OME-XML of the file that describes others: a TIFF, or a text."""
    file = images.folder / path
    if not file.is_file():
        raise PlateError(
            f"its OME-XML is in {file.name}, which is not beside it: copy it there, or export the images whole"
        )
    if file.suffix.lower() in (".tif", ".tiff"):
        return _read_description(images, path)[0]
    return file.read_text(encoding="utf-8-sig", errors="replace")


def _place_by_name(images: Images, path: str, pattern: re.Pattern[str] | None) -> dict[str, str]:
    """Read well and site from the path."""
    if pattern is not None:
        found = pattern.search(path)
        if found is None:
            raise PlateError("its name does not match the pattern")
        refuse_cut_wells(found)
        groups = found.groupdict()
        return place(groups, images.name) | {"Channel": groups.get("channel") or ""}
    pure = PurePosixPath(path)
    stem = re.sub(r"(\.ome)?\.[a-z0-9]+$", "", pure.name, flags=re.IGNORECASE)
    wells = set(_WELL.findall(stem))
    if len(wells) > 1:  # a plate P1 looks like a well: B03 is a better one
        wells = {well for well in wells if re.search(r"\d\d$", well)}
    if len(wells) != 1:
        raise PlateError(
            "not just one well in its name, and no OME Plate that has it: give --layout ome-tiff and a --pattern "
            "with the groups well and site, such as '(?P<well>[A-P]\\d\\d)/field_(?P<site>\\d+)'"
        )
    well = wells.pop()
    site = _SITE.search(stem) or re.search(rf"{well}[-_ ](\d{{1,4}})(?![A-Za-z0-9])", stem)
    return {
        PLATE: pure.parent.name,
        WELL: normalise_well(well),
        SITE: as_site(site[1] if site else "1"),
    }
