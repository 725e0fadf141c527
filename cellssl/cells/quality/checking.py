"""Quality control of crops that exist already, such as those cut elsewhere."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cellssl.cells.quality.alignment import misplaced_channels
from cellssl.cells.quality.arrangement import swapped_channels
from cellssl.cells.quality.judging import CELL_REASONS, check_reasons, judge_cells
from cellssl.cells.quality.measures import measure_cells, middle, quality_columns, saturation_level
from cellssl.cells.quality.usual import bare_channels, usual_by_plate
from cellssl.columns import AREA
from cellssl.crops import Crops
from cellssl.crops.batches import batches
from cellssl.crops.copying import copy_crops, described

_LOG = logging.getLogger(__name__)


def check_crops(crops: Crops | str | Path) -> pd.DataFrame:
    """Measure the pictures of all cells, and say which are no good.

    What is usual is taken from each plate, or from all of them where plates have few cells; see
    `cellssl.cells.quality.judging`. Nothing is dropped.

    Parameters
    ----------
    crops : Crops or path
        N cells.

    Returns
    -------
    DataFrame
        N rows named as the cells: ``Quality_<measure>_<channel>`` and ``Quality_Reason``, one of
        `CELL_REASONS` or "".

    Examples
    --------
    >>> table = check_crops("crops.h5ad")  # doctest: +SKIP
    >>> table["Quality_Reason"].value_counts()  # doctest: +SKIP
    """
    crops = Crops.open(crops)
    known = crops.obs.get(AREA)
    areas = np.zeros(len(crops)) if known is None else known.to_numpy(float)
    rows = crops.rows_by_plate()
    quality = _measure(crops, rows)
    nothing = np.empty((0, len(crops.channels)))
    usual = usual_by_plate(
        {plate: (areas[of], quality[of], nothing) for plate, of in rows.items()}, crops.channels
    )
    for remark in (
        *bare_channels(usual, crops.channels),
        *misplaced_channels(crops, usual),
        *swapped_channels(crops),
    ):
        _LOG.warning("%s", remark)
    reasons = np.full(len(crops), "", dtype=object)
    for plate, of in rows.items():
        reasons[of] = judge_cells(areas[of], quality[of], usual[plate])
    table = pd.DataFrame(quality, crops.obs.index, quality_columns(crops.channels))
    return table.assign(Quality_Reason=reasons)


def clean_crops(
    crops: Crops | str | Path, table: pd.DataFrame, out: str | Path, *, keep: Sequence[str] = ()
) -> Path:
    """Write the good cells into a crop file of their own.

    Parameters
    ----------
    crops : Crops or path
        N cells.
    table : DataFrame
        What `check_crops` says of them; its columns join the cells' table.
    out : path
        The crop file to make (``.h5ad``), or a folder to put ``crops.h5ad`` into.
    keep : sequence of str
        Reasons in spite of which a cell stays.
    """
    check_reasons(keep)
    crops = Crops.open(crops)
    good = np.flatnonzero(table["Quality_Reason"].isin(["", *keep]))
    obs = crops.obs.drop(columns=table.columns, errors="ignore").join(table)
    about = {**described(crops), "checked": list(CELL_REASONS), "kept": sorted(keep)}
    return copy_crops(crops, out, obs=obs, provenance=about, rows=good)


def _measure(crops: Crops, plates: Mapping[str, np.ndarray]) -> np.ndarray:
    """Measure all cells, some at a time: (N, 3 C)."""
    names = quality_columns(crops.channels)
    quality = np.zeros((len(crops), len(names)), np.float32)
    within = middle(crops.size)
    for rows in plates.values():
        parts = [rows[batch] for batch in batches(len(rows))]
        tops = np.max([crops.read(part).max((0, 2, 3)) for part in parts], axis=0)
        levels = [saturation_level(top) for top in tops]
        for part in parts:
            quality[part] = measure_cells(crops.read(part)[..., within, within], levels)
    for number, name in enumerate(names):
        if name in crops.obs:  # as cropping measured it, before illumination was corrected
            before = crops.obs[name].to_numpy(float)  # not of joined files that others made
            quality[:, number] = np.where(np.isnan(before), quality[:, number], before)
    return quality
