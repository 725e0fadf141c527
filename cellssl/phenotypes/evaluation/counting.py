"""The number of cells of a well: what a phenotype may be that is none but toxicity."""

import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from cellssl.columns import WELL
from cellssl.phenotypes.columns import text_column, well_names
from cellssl.phenotypes.embeddings.matching import Embedding

_LOG = logging.getLogger(__name__)

COUNT = "cell-count"
# How a table says the number of a well's cells: pycytominer's name, and mantispy's.
COLUMNS = ("Metadata_Count_Cells", "Metadata_CellCount")


def count_cells(embeddings: Sequence[Embedding], obs: pd.DataFrame) -> list[Embedding]:
    """Describe each cell by nothing but the number of cells in its well.

    Parameters
    ----------
    embeddings : sequence of Embedding
        The one with the most cells is counted, where `obs` has no column that says the number.
    obs : DataFrame (N rows)
        The cells that are scored.

    Returns
    -------
    list of Embedding
        One called "cell-count": the logarithm of the number, one feature. The list is empty where there is one of that
        name, where wells are not known or have equally many, and where their cells cannot be counted: why, is said.
    """
    if COUNT in {one.name for one in embeddings}:
        return []
    known = next((name for name in COLUMNS if name in obs.columns), None)
    wells, places = well_names(obs), text_column(obs, WELL)
    if known is not None:
        counts = pd.to_numeric(obs[known], errors="coerce").to_numpy(dtype=np.float64)
    elif wells is None or places is None or not (places != "").any():
        return []
    else:
        fullest = max((one.cells for one in embeddings), key=lambda cells: cells.n_obs)
        if "sample" in fullest.uns.get("cellssl", {}):
            _LOG.warning(
                "no baseline of cell counts: a sample of the cells does not tell how many a well has: embed all "
                "cells, or give the number in a column %s.",
                COLUMNS[1],
            )
            return []
        counted = pd.Series(well_names(fullest.obs)).value_counts()
        counts = counted.reindex(wells).to_numpy(dtype=np.float64)
        counts[places == ""] = np.nan  # cells that name no well are not those of one
    unknown = int((~np.isfinite(counts)).sum())
    if unknown:
        _LOG.warning(
            "no baseline of cell counts: %d cells do not say how many their well has.", unknown
        )
    if unknown or len(np.unique(counts)) < 2:
        return []
    X = np.log1p(counts).astype(np.float32)[:, None]
    cells = ad.AnnData(X, obs=obs[[]].copy(), var=pd.DataFrame(index=["log_cells"]))
    return [Embedding(COUNT, "", cells)]
