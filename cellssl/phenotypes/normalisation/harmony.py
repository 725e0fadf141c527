"""Harmony: batches drawn together cluster by cluster, by its own library."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError
from cellssl.scores import principal_components


def harmony(X: ArrayLike, batches: ArrayLike) -> NDArray[np.float32]:
    """Take the 50 leading principal components of all rows and correct them for the batch.

    Parameters
    ----------
    X : (N, D)
        Features, standardised before where that is wanted.
    batches : (N,)
        Batch of each row; two at least.

    Returns
    -------
    (N, K) float32

    Raises
    ------
    EmbeddingError
        When harmonypy is not installed, or there is one batch only.

    Notes
    -----
    Korsunsky et al., Nature Methods 2019. Harmony takes for batch what its clusters have in common
    in each batch: where a phenotype is in one batch only, it takes that for batch too. Batches that
    lie further apart than the phenotypes it leaves as they are: their clusters share nothing.
    """
    try:
        import harmonypy
    except ImportError as error:
        raise EmbeddingError(
            "normalisation 'harmony' needs harmonypy: pip install 'cellssl[harmony]'."
        ) from error
    names = np.asarray(batches).astype(str)
    if len(np.unique(names)) < 2:
        raise EmbeddingError("normalisation 'harmony' needs two batches at least, there is one.")
    places = principal_components(X).astype(np.float64)
    table = pd.DataFrame({"batch": names})
    found = harmonypy.run_harmony(places, table, "batch", verbose=False, random_state=0, ncores=1)
    return np.asarray(found.Z_corr, dtype=np.float32)
