"""Label images that an OME-Zarr image holds beside its pixels, in its group ``labels``."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cellssl.plates.addresses import Address, plane_address, project
from cellssl.plates.planes import DAMAGE, FieldError


def group_attributes(folder: Path) -> dict[str, Any]:
    """Read the OME attributes of a Zarr group, nothing where it has none.

    Version 0.5 nests them under `ome`.
    """
    for name in ("zarr.json", ".zattrs"):
        try:
            found = json.loads((folder / name).read_bytes())
        except (OSError, ValueError):
            continue
        attributes = found.get("attributes", {}).get("ome", {}) if name == "zarr.json" else found
        return attributes if isinstance(attributes, dict) else {}
    return {}


def label_address(image: str, name: str) -> str:
    """Give where the labels of an image lie: in the same planes, or their maximum.

    Parameters
    ----------
    image
        The address of a channel, ``plate.zarr/A/1/0/0::at=0,2`` say.
    name
        Of a group in the image's, such as ``labels/nuclei``.

    Raises
    ------
    FieldError
        When the image is none of OME-Zarr, or has no such labels.

    Notes
    -----
    Where a channel is a projection of planes, so are its labels: an object that is in several planes
    has one number, and of two that lie above each other the one with the higher number is seen.
    """
    planes = Address.parse(image).planes
    if planes[0].at is None:
        raise FieldError(
            f"{name} is no folder here, and {planes[0].path.name} is no image of OME-Zarr that could hold "
            "labels of this name"
        )
    group = planes[0].path.parent
    axes, _ = first_level(group)
    (*own, _, _), level = first_level(group / name)
    places = [dict(zip(axes, plane.at or (), strict=False)) for plane in planes]
    if "z" in own and _size(level, own.index("z")) == 1:
        places = [place | {"z": 0} for place in places]
    at = dict.fromkeys(
        tuple(0 if axis == "c" else place.get(axis, 0) for axis in own) for place in places
    )
    return project([plane_address(str(level), at=one) for one in at], "max")


def read_labels(address: str) -> np.ndarray:
    """Read labels as `label_address` gives them: (Y, X) of whole numbers.

    Chunks that are not there are background, since writers leave out those without any object.

    Raises
    ------
    FieldError
        When they cannot be read.
    """
    import zarr

    planes = Address.parse(address).planes
    try:
        labels = [np.asarray(zarr.open_array(one.path, mode="r")[one.at or ()]) for one in planes]
        return np.asarray(np.maximum.reduce(labels))
    except DAMAGE as error:
        raise FieldError(
            f"{address} cannot be read as labels in OME-Zarr ({error}): copy it again or take it out."
        ) from error


def first_level(group: Path) -> tuple[list[str], Path]:
    """Name the axes of an image, and give its array of full size.

    Raises
    ------
    FieldError
        When the group is no image.
    """
    try:
        image = group_attributes(group)["multiscales"][0]
        axes = [axis["name"] for axis in image["axes"]]
        return axes, group / image["datasets"][0]["path"]
    except (LookupError, TypeError) as error:
        here = sorted(path.name for path in group.parent.glob("*") if path.is_dir())
        raise FieldError(
            f"{group} is no image of OME-Zarr (its `multiscales` are not there or cannot be read); beside "
            f"it lie: {', '.join(here) or 'none'}"
        ) from error


def _size(level: Path, axis: int) -> int:
    """Give the length of an axis; 0 where the array cannot be opened, which reading it will say."""
    import zarr

    try:
        return int(zarr.open_array(level, mode="r").shape[axis])
    except DAMAGE:
        return 0
