"""Crop files in formats of others."""

import logging
from collections.abc import Callable
from pathlib import Path

from cellssl.crops.exchange.arrays import write_hdf5, write_npy
from cellssl.crops.exchange.deepprofiler import write_singlecells
from cellssl.crops.exchange.scportrait import write_h5sc
from cellssl.crops.store import Crops
from cellssl.errors import CropError
from cellssl.files import make_folder

_LOG = logging.getLogger(__name__)

_SUFFIXES = {
    ".h5sc": "h5sc",
    ".npy": "npy",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    "": "deepprofiler",
}
_WRITERS: dict[str, Callable[..., None]] = {
    "h5sc": write_h5sc,
    "npy": write_npy,
    "hdf5": write_hdf5,
    "deepprofiler": write_singlecells,
}


def export_crops(
    crops: Crops | str | Path,
    out: str | Path,
    *,
    format: str | None = None,  # noqa: A002 - what it is called on the command line
    progress: bool = False,
) -> Path:
    """Write a crop file in the format of another program; `import_crops` reads it back.

    =================  =============================================  ============================
    format             files                                          what is kept
    =================  =============================================  ============================
    ``h5sc``           ``OUT.h5sc`` for scPortrait                    all; pixels as float16
    ``npy``            ``OUT.npy``, ``OUT_masks.npy``, ``OUT.csv``    all
    ``hdf5``           ``OUT.h5`` (crops, masks), ``OUT.csv``         all
    ``deepprofiler``   folder: a PNG a cell, ``sc-metadata.csv``      all, of 8 and 16 bits
    =================  =============================================  ============================

    A small JSON file beside the last three names channels and masks, types and provenance. "All" is
    pixels, masks, tables, names of cells and channels, and provenance; percentiles are measured anew.

    Parameters
    ----------
    crops : Crops or path
        The crop file.
    out : path
        The file, or DeepProfiler's folder, to make. Files are replaced; a folder must be empty.
    format : {"h5sc", "npy", "hdf5", "deepprofiler"}, optional
        By default told by the suffix of `out`; none is DeepProfiler's folder.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    CropError
        When the format is not known, cannot hold the pixels' type, or the folder is not empty.

    Examples
    --------
    >>> export_crops("crops.h5ad", "crops.h5sc")  # doctest: +SKIP
    >>> export_crops("crops.h5ad", "single_cells")  # doctest: +SKIP
    """
    out = Path(out)
    chosen = format or _SUFFIXES.get(out.suffix)
    if chosen is None or chosen not in _WRITERS:
        raise CropError(
            f"no format goes with {chosen or out.name!r}: wanted a name with .h5sc, .npy or .h5, a "
            f"folder (DeepProfiler), or format= (--format) {', '.join(_WRITERS)}"
        )
    opened = Crops.open(crops)
    make_folder(out.parent)
    _WRITERS[chosen](opened, out, shown=progress)
    _LOG.info("exported %d crops as %s", len(opened), chosen)
    return out
