"""OME-Zarr plates (HCS), versions 0.4 and 0.5: plates and wells through ngio, pixels from level 0.

The plate is a folder such as ``plate.zarr``; it may also be given itself. A field is an image of a
well. Install with ``pip install 'cellssl[ome-zarr]'``. See https://ngff.openmicroscopy.org.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from cellssl.columns import PLATE, SITE, WELL
from cellssl.errors import PlateError
from cellssl.plates.addresses import plane_address
from cellssl.plates.layouts.images import Images
from cellssl.plates.layouts.layout import Evidence, Grade, Layout, Listing
from cellssl.plates.layouts.naming import distinct_names, unmatched
from cellssl.plates.ome_labels import first_level, group_attributes
from cellssl.plates.planes import DAMAGE
from cellssl.wells import well_from
from cellssl.words import listed

if TYPE_CHECKING:
    from ngio import OmeZarrPlate


# `omero.channels.0.color`, and in the next line what is wrong with it.
_WRONG = re.compile(r"^(\w+(?:\.\w+)+)\n +([^\n\[]+?) \[type=", re.MULTILINE)


class OmeZarr(Layout):
    """Wells, images, channels and planes by the metadata of the plate."""

    name = "ome-zarr"

    def recognise(self, images: Images) -> Evidence | None:
        """Recognise Zarr groups whose attributes have a plate."""
        found = _plates(images)
        if not found:
            return None
        return Evidence(Grade.CONTENT, f"{_name_of(images, found[0])} is an OME-Zarr plate")

    def find(self, images: Images) -> Listing:
        """Read the metadata of every plate, well and image."""
        groups = _plates(images)
        if not groups:
            raise PlateError(
                f"{images.folder} is no OME-Zarr plate and holds none: wanted a Zarr group with `plate` "
                "in its attributes."
            )
        found = [_OnePlate(images, group) for group in groups]
        rows = [row for plate in found for row in plate.rows]
        if not rows:
            reasons = [one["Detail"] for plate in found for one in plate.problems]
            raise PlateError(
                f"no image of {_name_of(images, groups[0])} is there or can be read"
                f"{f', such as {reasons[0]}' if reasons else ''}."
            )
        files = pd.DataFrame(rows)
        return Listing(
            files,
            tuple(dict.fromkeys(files["Channel"])),
            [problem for plate in found for problem in plate.problems],
            sum(plate.absent for plate in found),
            notes=tuple(dict.fromkeys(note for plate in found for note in plate.notes)),
        )


def _plates(images: Images) -> list[str]:
    return [group for group in images.groups if "plate" in group_attributes(images.folder / group)]


def _name_of(images: Images, group: str) -> str:
    return images.folder.resolve().name if group == "." else group


def _open(folder: Path) -> "OmeZarrPlate":
    try:
        from ngio import open_ome_zarr_plate
    except ImportError as error:
        raise PlateError(
            f"{folder} is an OME-Zarr plate; reading one needs ngio: pip install 'cellssl[ome-zarr]'."
        ) from error
    try:
        with warnings.catch_warnings():
            # Version 0.5 has no version of the plate's own: what the library says of it alarms for nothing.
            warnings.filterwarnings("ignore", message="'version' field not specified")
            return open_ome_zarr_plate(folder, mode="r")
    except _faults() as error:
        raise PlateError(f"{folder} cannot be read as an OME-Zarr plate ({error}).") from error


def _faults() -> tuple[type[Exception], ...]:
    from ngio import NgioError

    return (NgioError, PlateError, *DAMAGE)


def _in_a_line(error: Exception) -> str:
    """Shorten what is said of metadata that are not as they should be to the fields that it is about."""
    text = str(error)
    fields = dict.fromkeys(_WRONG.findall(text))
    return (
        f"in its metadata {listed([': '.join(one) for one in fields], most=4)}" if fields else text
    )


def _channel_names(group: Path, count: int) -> list[str]:
    """Name the channels of an image by what `omero` calls them.

    These metadata are on their way out of the format, and may lack anything: no more is read of them.
    """
    omero = group_attributes(group).get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    names = [
        str((channel.get("label") or "") if isinstance(channel, dict) else "")
        for channel in (channels if isinstance(channels, list) else [])
    ][:count]
    return distinct_names(names, count)


class _OnePlate:
    """The planes of one plate, and what was wrong with it."""

    def __init__(self, images: Images, group: str) -> None:
        self.group = group
        self.problems: list[dict[str, str]] = []
        self.notes: list[str] = []
        self.absent = 0
        self._folder = images.folder / group
        self._plate = _open(self._folder)
        named = self._plate.meta.plate.name or _name_of(images, group).removesuffix(".zarr")
        self._name = images.plate or named
        acquisitions = self._plate.acquisition_ids
        self._acquisition = min(acquisitions) if len(acquisitions) > 1 else None
        if self._acquisition is not None:
            self.notes.append(
                f"{_name_of(images, group)} has {len(acquisitions)} acquisitions; all but number "
                f"{self._acquisition} are left out: several rounds are no channels of one image"
            )
        self.rows = [row for path in self._plate.wells_paths() for row in self._well(path)]

    def _well(self, path: str) -> Iterator[dict[str, Any]]:
        """Give the rows of a well; what is not there is absent, what is damaged a problem."""
        row, column = path.split("/")[:2]
        with self._named(path):
            about = {WELL: well_from(row, column)}
            if not self._there(path):
                return
            well = self._plate.get_well(row, column)
            for site in well.paths(self._acquisition):
                with self._named(f"{path}/{site}"):
                    if self._there(f"{path}/{site}"):
                        found = self._image(f"{path}/{site}")
                        yield from [about | {SITE: site} | one for one in found]

    def _there(self, path: str) -> bool:
        there = (self._folder / path).is_dir()
        self.absent += not there
        return there

    @contextmanager
    def _named(self, path: str) -> Iterator[None]:
        """Make a problem of what is wrong with a well or an image."""
        try:
            yield
        except _faults() as error:
            self.problems.append(unmatched(str(PurePosixPath(self.group, path)), _in_a_line(error)))

    def _image(self, path: str) -> Iterator[dict[str, Any]]:
        """Give a row for each channel and plane of the first time point."""
        import zarr

        group = self._folder / path
        (*axes, y, x), level = first_level(group)
        if (y, x) != ("y", "x") or not set(axes) <= set("tcz"):
            raise PlateError(f"axes {', '.join([*axes, y, x])}; wanted t, c, z, y, x")
        size = dict(zip([*axes, y, x], zarr.open_array(level, mode="r").shape, strict=True))
        if size.get("t", 1) > 1:
            self.notes.append("later time points are left out: time lapse is out of scope")
        names = _channel_names(group, size.get("c", 1))
        address = str(PurePosixPath(self.group, path, level.relative_to(group)))
        for c, z in product(range(size.get("c", 1)), range(size.get("z", 1))):
            at = {"t": 0, "c": c, "z": z}
            yield {
                PLATE: self._name,
                "Channel": names[c],
                "Plane": z + 1,
                "Path": plane_address(address, at=[at[axis] for axis in axes]),
            }
