"""Cells of a crop file written anew, with a table of their own."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.crops.batches import batches
from cellssl.crops.layout import crop_file
from cellssl.crops.store import Crops
from cellssl.crops.writer import OWN_KEYS, CropBatch, write_crops


def described(crops: Crops) -> dict[str, Any]:
    """Give what a copy keeps of ``uns["cellssl"]``: all but what is measured or written anew."""
    return {key: value for key, value in crops.uns["cellssl"].items() if key not in OWN_KEYS}


def copy_crops(
    crops: Crops,
    out: str | Path,
    *,
    obs: pd.DataFrame,
    provenance: Mapping[str, Any],
    rows: np.ndarray | None = None,
) -> Path:
    """Write pixels and masks as they are beside another table.

    Parameters
    ----------
    crops : Crops
        N cells.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into. It may be the
        file itself, which is replaced when the new one is whole.
    obs : DataFrame
        N rows.
    provenance : mapping
        See `write_crops`.
    rows : ndarray, optional
        Numbers of the cells that are kept, in the order that they shall have; all by default.
    """
    kept = np.arange(len(crops)) if rows is None else rows

    def chosen() -> Iterator[CropBatch]:
        for part in batches(max(len(kept), 1)):
            some = kept[part]
            yield CropBatch(crops.read(some), crops.masks(some), obs.iloc[some])

    return write_crops(
        crop_file(out),
        chosen(),
        channels=crops.channels,
        size=crops.size,
        provenance=provenance,
        masks=crops.mask_names,
    )
