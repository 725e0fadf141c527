"""What lies in a plate's folder: files of the kinds that layouts ask for, listed in one walk."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cellssl.errors import PlateError
from cellssl.files import walk
from cellssl.words import counted

_KINDS = ((".tif", ".tiff"), (".png",))  # of images that are read; the first that is there is taken
_ZARR = {".zgroup", ".zarray", "zarr.json"}
# Images that are not read.
_FOREIGN = (
    *(".jpg", ".jpeg", ".bmp", ".gif", ".jp2", ".tif.gz", ".tiff.gz", ".stk", ".lsm", ".nd2"),
    *(".czi", ".lif", ".oib", ".oir", ".vsi", ".flex", ".c01", ".dib"),
)


@dataclass(frozen=True)
class Images:
    """What a layout starts from.

    Attributes
    ----------
    folder
        The plate's folder.
    files
        All files anywhere below, relative to it, with `/`, sorted.
    groups
        The outermost Zarr groups, likewise; `.` when the folder itself is one.
    plate
        The plate's name as the user gave it, or None.
    pattern
        The user's regular expression, or None.
    metadata, moa
        The user's tables, or None.
    """

    folder: Path
    files: tuple[str, ...]
    groups: tuple[str, ...] = ()
    plate: str | None = None
    pattern: str | None = None
    metadata: Path | None = None
    moa: Path | None = None

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The images among the files; see `readable`."""
        return readable(self.files)

    def ending(self, *suffixes: str) -> tuple[str, ...]:
        """Give the files whose names end so, in any case."""
        return tuple(path for path in self.files if path.lower().endswith(suffixes))

    def named(self, expression: re.Pattern[str]) -> list[re.Match[str]]:
        """Match the names of images, without their folders; give those that are such names."""
        matches = (expression.fullmatch(path.rpartition("/")[2]) for path in self.paths)
        return [found for found in matches if found]

    @property
    def name(self) -> str:
        """What a plate is called when nothing else names it."""
        return self.plate or self.folder.resolve().name

    @property
    def nothing(self) -> str:
        """That there are no images that can be read; what there is in their place."""
        text = f"{self.folder} holds no TIFF or PNG files (.tif, .tiff, .png), at any depth, and no OME-Zarr plate"
        foreign = self.ending(*_FOREIGN)
        if not foreign:
            return f"{text}.{self.left_out}"
        mend = "unpack" if foreign[0].lower().endswith(".gz") else "convert"
        return (
            f"{text}, but {counted(len(foreign), 'image')} such as {foreign[0]}: {mend} them to "
            "TIFF first, one grey plane a file."
        )

    @property
    def left_out(self) -> str:
        """What to do about PNGs beside TIFFs, with a space before; "" where there are none."""
        aside = self.ending(".png")
        if not aside or aside[0] in self.paths:
            return ""
        return (
            f" {counted(len(aside), 'PNG')} such as {aside[0]} left out, since there are TIFFs: take "
            "these out of the folder if the PNGs are the images."
        )


def look(folder: Path, **options: Any) -> Images:
    """Look at what lies in the folder; what lies in a Zarr group is not listed."""
    if not folder.is_dir():
        raise PlateError(f"{folder} is not a folder; wanted the folder of a plate's images.")
    files: list[str] = []
    groups: list[str] = []
    for below, folders, names in walk(folder):
        if not _ZARR.isdisjoint(names):
            groups.append(below.as_posix())
            folders.clear()
        else:
            files += [(below / name).as_posix() for name in names if not name.startswith(".")]
    return Images(folder, tuple(sorted(files)), tuple(sorted(groups)), **options)


def readable(paths: Iterable[str]) -> tuple[str, ...]:
    """Choose what can be read by its ending: TIFFs; where there are none, PNGs.

    PNGs beside TIFFs are thumbnails, masks and outlines, made for people to look at.

    Examples
    --------
    >>> readable(["A01_w1.tif", "A01_w1_outlines.png", "wells.csv"]), readable(["A01_w1.PNG"])
    (('A01_w1.tif',), ('A01_w1.PNG',))
    """
    paths = list(paths)
    for endings in _KINDS:
        if found := tuple(path for path in paths if path.strip().lower().endswith(endings)):
            return found
    return ()
