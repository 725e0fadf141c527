"""The number of cells of a well: what a phenotype may be that is none but toxicity."""

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd

from cellssl.columns import WELL
from cellssl.phenotypes.columns import text_column, well_names
from cellssl.phenotypes.embeddings.matching import Embedding

__all__ = ["COUNT", "count_cells"]

COUNT = "cell-count"
# How a table says the number of a well's cells: pycytominer's name, and mantispy's.
COLUMNS = ("Metadata_Count_Cells", "Metadata_CellCount")


def count_cells(
    embeddings: Sequence[ad.AnnData], obs: pd.DataFrame
) -> tuple[Embedding | None, str]:
    """Describe each cell by nothing but the number of cells in its well.

    Parameters
    ----------
    embeddings : sequence of AnnData
        The one with the most cells is counted, where `obs` has no column that says the number.
    obs : DataFrame (N rows)
        The cells that are scored.

    Returns
    -------
    embedding : Embedding or None
        "cell-count": the logarithm of the number, one feature. None where it is not known.
    reason : str
        Why, where wells are known and their cells cannot be counted; empty too where all wells have
        equally many.
    """
    known = next((name for name in COLUMNS if name in obs.columns), None)
    wells, places = well_names(obs), text_column(obs, WELL)
    if known is not None:
        counts = pd.to_numeric(obs[known], errors="coerce").to_numpy(dtype=np.float64)
    elif wells is None or places is None or not (places != "").any():
        return None, ""
    else:
        fullest = max(embeddings, key=lambda cells: cells.n_obs)
        if "sample" in fullest.uns.get("cellssl", {}):
            return None, (
                "a sample of the cells does not tell how many a well has: embed all cells, or give the "
                f"number in a column {COLUMNS[1]}"
            )
        counted = pd.Series(well_names(fullest.obs)).value_counts()
        counts = counted.reindex(wells).to_numpy(dtype=np.float64)
        counts[places == ""] = np.nan  # cells that name no well are not those of one
    if not np.isfinite(counts).all():
        return None, f"{int((~np.isfinite(counts)).sum())} cells do not say how many their well has"
    if len(np.unique(counts)) < 2:
        return None, ""
    X = np.log1p(counts).astype(np.float32)[:, None]
    cells = ad.AnnData(X, obs=obs[[]].copy(), var=pd.DataFrame(index=["log_cells"]))
    return Embedding(COUNT, "", cells), ""
