"""What lies in a plate's folder: files of the kinds that layouts ask for, listed in one walk."""

import logging
import os
from pathlib import Path
from typing import Any

from cellssl.errors import PlateError
from cellssl.plates.layouts import Images, readable

__all__ = ["look"]

_LOG = logging.getLogger(__name__)
_ZARR = {".zgroup", ".zarray", "zarr.json"}
# Images that are not read.
_FOREIGN = (
    *(".jpg", ".jpeg", ".bmp", ".gif", ".jp2", ".tif.gz", ".tiff.gz", ".stk", ".lsm", ".nd2"),
    *(".czi", ".lif", ".oib", ".oir", ".vsi", ".flex", ".c01", ".dib"),
)


def look(folder: Path, **options: Any) -> Images:
    """Look at what lies in the folder."""
    files, groups = _walk(folder)

    def ending(*suffixes: str) -> tuple[str, ...]:
        return tuple(path for path in files if path.lower().endswith(suffixes))

    paths, pngs = readable(files), ending(".png")
    return Images(
        folder=folder,
        paths=paths,
        tables=ending(".csv", ".csv.gz"),
        documents=ending(".xml", ".mlf", ".mrf", ".mes", ".htd"),
        groups=tuple(groups),
        aside=pngs if set(paths).isdisjoint(pngs) else (),
        foreign=ending(*_FOREIGN),
        **options,
    )


def _walk(folder: Path) -> tuple[list[str], list[str]]:
    """List the files and the outermost Zarr groups below a folder in one walk.

    Linked folders are followed, each once; what lies in a Zarr group is not listed.
    """
    if not folder.is_dir():
        raise PlateError(f"{folder} is not a folder; wanted the folder of a plate's images.")
    paths: list[str] = []
    groups: list[str] = []
    seen: set[str] = set()
    for root, folders, files in os.walk(folder, onerror=_say_closed, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        below = Path(root).relative_to(folder)
        if not _ZARR.isdisjoint(files):
            groups.append(below.as_posix())
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [(below / name).as_posix() for name in files if not name.startswith(".")]
    return sorted(paths), sorted(groups)


def _say_closed(error: OSError) -> None:
    """Say which folder could not be looked into; a drive has some that belong to its system."""
    _LOG.warning(
        "%s cannot be looked into (%s): what lies in it is left out", error.filename, error.strerror
    )
