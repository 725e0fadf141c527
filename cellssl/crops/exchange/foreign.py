"""Crops in a format of others, open for reading: what every import is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cellssl.columns import text_array
from cellssl.crops.store import Crops

NAME = "Cellssl_Name"  # the column that holds the names of the cells in an exported table

Images = tuple[np.ndarray, np.ndarray | None]


@dataclass(frozen=True)
class Foreign:
    """Crops that some other format holds.

    Attributes
    ----------
    path : Path
        The file or folder, for messages.
    shape : tuple of int
        (N, C, H, W) of the images, without masks.
    dtype : numpy.dtype
        Their type.
    read : callable
        slice of rows → images (n, C, H, W) and masks (n, M, H, W) uint8, or None.
    table : DataFrame
        N rows, with the format's own columns; where it has `NAME`, all are as they were in ``obs``.
    names : mapping
        The table's columns → their names in ``obs``.
    channels, masks : tuple of str
        C and M names; no channels where the format does not know any.
    about : mapping
        What an export kept of ``uns["cellssl"]``.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[slice], Images]
    table: pd.DataFrame
    names: Mapping[str, str] = field(default_factory=dict)
    channels: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)


def named_table(crops: Crops) -> pd.DataFrame:
    """Give the cells with their names as a first column `NAME`, numbered from 0."""
    table = crops.obs.reset_index(drop=True)
    table.insert(0, NAME, text_array(crops.obs.index))
    return table


def without_names(table: pd.DataFrame) -> pd.DataFrame:
    """Turn `named_table` back into ``obs``."""
    return table.set_index(pd.Index(table[NAME].astype(str)).rename(None)).drop(columns=NAME)
