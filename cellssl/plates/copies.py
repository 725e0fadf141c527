"""Plates that hold the images of another plate, whose cells would count twice."""

import logging
from itertools import chain
from pathlib import Path

import pandas as pd

from cellssl.columns import FIELD, PLATE
from cellssl.plates.addresses import Address
from cellssl.plates.planes import FieldError, PlaneReader

_LOG = logging.getLogger(__name__)
_PIECE = 1 << 16  # bytes that are looked at
_FLAT = 8  # different ones that images without noise may have


def say_copies(fields: pd.DataFrame, channel: str) -> None:
    """Warn of plates that seem to hold the images of another: each of their cells would find itself there.

    Looked at are the first image of each plate, and folders within the folder of another plate.
    """
    first = fields.drop_duplicates(PLATE)
    files = {
        str(plate): planes[0].path
        for plate, address in zip(first[PLATE], first[f"Path_{channel}"], strict=True)
        if (planes := Address.parse(address).planes)[0].at is None
    }
    folders: dict[Path, list[str]] = {}
    for plate, path in files.items():
        folders.setdefault(path.parent, []).append(plate)
    rows = {str(plate): own for plate, own in fields.groupby(PLATE).indices.items()}

    def places(plate: str) -> set[tuple[str, ...]]:
        return set(fields.iloc[rows[plate]][FIELD[1:]].itertuples(index=False, name=None))

    pieces: dict[bytes, str] = {}
    for plate, path in files.items():
        other = pieces.setdefault(_piece(path), plate)
        if other != plate and path != files[other] and not _is_flat(path):
            _LOG.warning(
                "plates %s and %s begin with the same image (%s and %s): where one is a copy, take it out, since its "
                "cells would count twice",
                *(other, plate, files[other], path),
            )
        for outer in chain.from_iterable(folders.get(above, []) for above in path.parent.parents):
            if other == plate and places(plate) <= places(outer):
                _LOG.warning(
                    "plate %s lies in the folder of plate %s and has wells and sites as there: where it holds the same "
                    "images (thumbnails, corrected ones), take it out, since its cells would count twice",
                    *(plate, outer),
                )


def _piece(path: Path) -> bytes:
    """Read some of the middle of a file, which a camera's noise makes unlike any other's; of a flat one its path."""
    try:
        with path.open("rb") as file:
            file.seek(path.stat().st_size // 2)
            piece = file.read(_PIECE)
    except OSError:  # whoever reads its pixels will say so
        piece = b""
    return piece if len(set(piece)) > _FLAT else str(path).encode()


def _is_flat(path: Path) -> bool:
    """Tell a black image, which is the same on every plate, also where its bytes are compressed."""
    try:
        with PlaneReader() as reader:
            pixels = reader.read(Address.parse(str(path)))
    except FieldError:
        return False
    return bool(pixels.min() == pixels.max())
