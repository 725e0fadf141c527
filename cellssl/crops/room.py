"""Whether crops have room for views, said before anything heavy is loaded."""

from pathlib import Path

import h5py

from cellssl.crops.layout import crop_file

__all__ = ["no_room", "size_of"]


def size_of(path: str | Path) -> int | None:
    """Read how many pixels the crops of a file, or of a folder's ``crops.h5ad``, have; None where it does not say."""
    file = crop_file(path)
    if not file.is_file() or not h5py.is_hdf5(file):
        return None
    with h5py.File(file) as opened:
        size = opened.get("uns/cellssl/crop_size")
        return int(size[()]) if isinstance(size, h5py.Dataset) and size.shape == () else None


def no_room(view: int, stored: int) -> str:
    """Say that views of `view` px are not to be had of crops of `stored` px; "" where they are.

    Examples
    --------
    >>> no_room(64, 48)[:51]
    'crop.size is 64 px, but the crops have 48 px; cut l'
    """
    if view <= stored:
        return ""
    return (
        f"crop.size is {view} px, but the crops have {stored} px; cut larger crops "
        f"(1.5 × {view} = {round(1.5 * view)} px is good), or make crop.size {stored} at most: a protocol of your own "
        f"says extends: and the name of this one, and crop: {{size: {stored}}}, a line each"
    )
