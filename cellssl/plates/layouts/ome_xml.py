"""OME-XML: which planes of which images lie in a file, and in which wells these were taken.

See https://docs.openmicroscopy.org/ome-model/6.3.1/ome-tiff/specification.html.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.layouts.naming import distinct_names
from cellssl.wells import well_from


@dataclass(frozen=True)
class Plane:
    """A plane of an image, and on which page of its file it lies."""

    channel: str
    z: int
    t: int
    page: int


def images_of(root: Element) -> list[tuple[str, Element]]:
    """Give the images of OME-XML: ID and Pixels."""
    return [
        (image.get("ID", ""), pixels)
        for image in root.iter("Image")
        for pixels in image.findall("Pixels")
    ]


@dataclass(frozen=True)
class File:
    """What tells the planes in one file from those in others of its data set."""

    name: str
    uuid: str | None
    alone: bool  # XML that names no file speaks of it, being its own

    def holds(self, data: Element) -> bool:
        """Say whether a TiffData speaks of this file."""
        names = _file_names(data)
        return self.alone if names is None else self.name in names or self.uuid in names


def _file_names(data: Element) -> tuple[str, ...] | None:
    """Give the name and UUID of the file that a TiffData speaks of; None where it says neither."""
    uuid = data.find("UUID")
    if uuid is None:
        return None
    name = PurePosixPath(uuid.get("FileName", "").replace("\\", "/")).name
    return tuple(filter(None, (name, (uuid.text or "").strip())))


@dataclass(frozen=True)
class Master:
    """What a file says of others: wells of images, and the images by the names of the files they are in.

    It is looked through once: thousands of files may be described by one.
    """

    wells: dict[str, dict[str, str]]
    images: list[tuple[str, Element]]
    places: dict[str, set[int]]  # among `images`

    @classmethod
    def of(cls, root: Element) -> "Master":
        """Look through the OME-XML of many files."""
        images, places = images_of(root), defaultdict[str, set[int]](set)
        for place, (_, pixels) in enumerate(images):
            for data in pixels.findall("TiffData"):
                for name in _file_names(data) or ():
                    places[name].add(place)
        return cls(wells_of(root), images, dict(places))

    def images_in(self, file: File) -> list[tuple[str, Element]]:
        """Give the images that a file has planes of."""
        own = {*self.places.get(file.name, ()), *self.places.get(file.uuid or "", ())}
        return [self.images[place] for place in sorted(own)]


def planes_in(pixels: Element, file: File) -> list[Plane]:
    """List the planes of an image that lie in this file."""
    here = [data for data in pixels.findall("TiffData") if file.holds(data)]
    if not here:
        return []
    names = _channels(pixels)
    sizes = {
        "C": len(names),
        "Z": int(pixels.get("SizeZ", "1")),
        "T": int(pixels.get("SizeT", "1")),
    }
    order = pixels.get("DimensionOrder", "XYCZT")[2:]
    if sorted(order) != ["C", "T", "Z"]:
        raise ValueError(f"DimensionOrder {pixels.get('DimensionOrder')!r}")
    axes = order[::-1]  # the first letter runs fastest
    places = list(product(*(range(sizes[axis]) for axis in axes)))
    numbers = {place: number for number, place in enumerate(places)}
    planes = []
    for data in here:
        first = numbers[tuple(int(data.get(f"First{axis}", "0")) for axis in axes)]
        count = int(data.get("PlaneCount", "1" if data.get("IFD") else str(len(places))))
        page = int(data.get("IFD", "0"))
        for offset, place in enumerate(places[first : first + count]):
            at = dict(zip(axes, place, strict=True))
            planes.append(Plane(names[at["C"]], at["Z"], at["T"], page + offset))
    return planes


def _channels(pixels: Element) -> list[str]:
    """Name the channels; those without a name by their number, those of one name apart."""
    channels = pixels.findall("Channel")
    if any(int(channel.get("SamplesPerPixel", "1")) > 1 for channel in channels):
        raise PlateError("colour: wanted grey channels")
    names = [channel.get("Name", "") for channel in channels]
    return distinct_names(names, int(pixels.attrib["SizeC"]))


def wells_of(root: Element) -> dict[str, dict[str, str]]:
    """Say in which well and site each image was taken, by the OME Plate."""
    wells: dict[str, dict[str, str]] = {}
    for plate in root.iter("Plate"):
        for well in plate.findall("Well"):
            name = well_from(int(well.attrib["Row"]) + 1, int(well.attrib["Column"]) + 1)
            for site, sample in enumerate(well.findall("WellSample"), start=1):
                about = {
                    PLATE: plate.get("Name", ""),
                    WELL: name,
                    SITE: str(site),
                }
                wells |= {image.attrib["ID"]: about for image in sample.findall("ImageRef")}
    return wells
