"""Where the pixels of one channel of one field lie, as the text of a ``Path_<channel>`` column.

=======================================  ======================================================
``/p/A01_w1.tif``                        the only plane of a TIFF, or a PNG: a plain path
``/p/A01.ome.tif::page=3``               its fourth page; pages count from 0
``/p/plate.zarr/A/1/0/0::at=0,2,5``      the plane ``array[0, 2, 5]`` of an array of OME-Zarr
``/p/A01_z{1|2|3}_w1.tif::max``          the maximum over three files
``/p/A01.ome.tif::page={0|4|8}::mean``   the mean over three pages, rounded to the files' type
=======================================  ======================================================

One pair of braces holds all that differs between the planes of a projection. What does not end in
one of these forms is a plain path.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product, takewhile
from pathlib import Path

from cellssl.errors import PlateError

PROJECTIONS = ("max", "mean")
_PLANE = re.compile(r"(?P<path>.+)::(?:page=(?P<page>\d+)|at=(?P<at>(?:\d+(?:,\d+)*)?))", re.DOTALL)
_PROJECTION = re.compile(
    r"(?P<before>[^{|}]*)\{(?P<choices>[^{}]*)\}(?P<after>[^{|}]*)::(?P<projection>max|mean)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Plane:
    """One plane of pixels.

    Attributes
    ----------
    path
        A TIFF or PNG file, or the folder of a Zarr array.
    page
        The page of a TIFF, counted from 0; None when it has only one.
    at
        The position along all axes but the last two (Y, X) of a Zarr array; None for a TIFF.
    """

    path: Path
    page: int | None = None
    at: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return _written(str(self.path), self.page, self.at)

    @classmethod
    def parse(cls, text: str) -> "Plane":
        """Read one plane's address; anything else is a plain path."""
        found = _PLANE.fullmatch(text)
        if found is None:
            return cls(Path(text))
        if found["page"] is not None:
            return cls(Path(found["path"]), page=int(found["page"]))
        return cls(
            Path(found["path"]), at=tuple(int(i) for i in found["at"].split(",") if found["at"])
        )

    def files(self) -> list[Path]:
        """Give the files that hold the plane: for Zarr the chunks that are there, and metadata."""
        return [self.path] if self.at is None else _zarr_files(self.path, self.at)


@dataclass(frozen=True)
class Address:
    """One plane, or several with the projection that makes one of them.

    Examples
    --------
    >>> address = Address.parse("/p/A01_z{1|2}.tif::max")
    >>> [str(plane) for plane in address.planes], address.projection
    (['/p/A01_z1.tif', '/p/A01_z2.tif'], 'max')
    """

    planes: tuple[Plane, ...]
    projection: str | None = None

    @classmethod
    def parse(cls, text: str | Path) -> "Address":
        """Read the text of a ``Path_<channel>`` column; a `Path` is a plain path."""
        if isinstance(text, Path):
            return cls((Plane(text),))
        found = _PROJECTION.fullmatch(text)
        if found is None:
            return cls((Plane.parse(text),))
        choices = found["choices"].split("|")
        planes = (Plane.parse(f"{found['before']}{choice}{found['after']}") for choice in choices)
        return cls(tuple(planes), found["projection"])


def plane_address(path: str, *, page: int | None = None, at: Sequence[int] | None = None) -> str:
    """Give the address of one plane; `path` stays as it is written.

    Raises
    ------
    PlateError
        When the path itself ends like an address.
    """
    if _PLANE.fullmatch(path) or _PROJECTION.fullmatch(path):
        raise PlateError(f"{path!r} ends like the address of a plane: rename the file.")
    return _written(path, page, at)


def _written(path: str, page: int | None, at: Sequence[int] | None) -> str:
    if at is not None:
        return f"{path}::at={','.join(map(str, at))}"
    return path if page is None else f"{path}::page={page}"


def project(addresses: Sequence[str], projection: str) -> str:
    """Give the address of a projection (``max`` or ``mean``) of planes; of one plane, itself.

    Raises
    ------
    PlateError
        When a name holds `{`, `|` or `}`, which tell the planes apart.

    Examples
    --------
    >>> project(["p/r01c01f01p01-ch1.tiff", "p/r01c01f01p02-ch1.tiff"], "max")
    'p/r01c01f01p0{1|2}-ch1.tiff::max'
    """
    if len(addresses) == 1:
        return addresses[0]
    foreign = [address for address in addresses if re.search(r"[{|}]", address)]
    if foreign:
        raise PlateError(
            f"{foreign[0]!r} holds one of the characters {{ | }}, which cannot stand in a "
            "projection of several planes: rename the files, or take one plane with --z."
        )
    before = _beginning(addresses)
    rests = [address.removeprefix(before) for address in addresses]
    after = _beginning([rest[::-1] for rest in rests])[::-1]
    choices = "|".join(rest.removesuffix(after) for rest in rests)
    return f"{before}{{{choices}}}{after}::{projection}"


def files_of(address: str | Path) -> list[Path]:
    """Give the real files behind the address of a channel: those to look at for size and time.

    A file may be missing; of a Zarr array, its metadata and the chunks of the plane that are there
    are given. Each file comes once.

    Examples
    --------
    >>> [path.name for path in files_of("/p/A01_z{1|2}.tif::max")]
    ['A01_z1.tif', 'A01_z2.tif']
    """
    found = (path for plane in Address.parse(address).planes for path in plane.files())
    return list(dict.fromkeys(found))


def _beginning(texts: Sequence[str]) -> str:
    """Give what all texts begin with."""
    columns = zip(*texts, strict=False)
    return "".join(column[0] for column in takewhile(lambda one: len(set(one)) == 1, columns))


def _zarr_files(folder: Path, at: tuple[int, ...]) -> list[Path]:
    """Give the metadata of an array and the stored chunks (or shards) of one of its planes."""
    import zarr

    metadata = next(
        (folder / name for name in ("zarr.json", ".zarray") if (folder / name).is_file()), None
    )
    if metadata is None:
        return [folder]
    try:
        array = zarr.open_array(folder, mode="r")
        sides = array.shards or array.chunks
        if len(at) != array.ndim - 2:
            return [metadata]
        lead = [index // side for index, side in zip(at, sides, strict=False)]
        grid = [
            range(math.ceil(n / side)) for n, side in zip(array.shape[-2:], sides[-2:], strict=True)
        ]
        keys = (array.metadata.encode_chunk_key((*lead, *yx)) for yx in product(*grid))
        return [metadata, *(folder / key for key in keys if (folder / key).is_file())]
    except (OSError, ValueError, KeyError, TypeError):
        return [metadata]  # damaged: reading the plane will say so
