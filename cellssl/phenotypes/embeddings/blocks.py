"""Blocks of a combined embedding: each an embedding of its own, all of them weighing alike."""

from collections.abc import Callable

import anndata as ad
import numpy as np
from numpy.typing import NDArray

from cellssl.columns import text_array

BLOCK = "block"


def block_names(cells: ad.AnnData) -> NDArray[np.str_] | None:
    """Name the block of each feature (D,) of a combined embedding; None for any other."""
    if BLOCK not in cells.var.columns:
        return None
    names = text_array(cells.var[BLOCK].astype(str))
    return names if len(np.unique(names)) > 1 else None


def blockwise(
    X: NDArray[np.floating],
    blocks: NDArray[np.str_],
    normalise: Callable[[NDArray[np.floating]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Normalise each block by itself, then let all weigh alike.

    Parameters
    ----------
    X : (N, D)
        Features.
    blocks : (D,)
        Block of each feature.
    normalise : callable
        From a block (N, d) to rows (n, d'); whatever it does must not depend on other blocks, or
        features that are many in one block would drown those that are few in another.

    Returns
    -------
    (n, D') float32
        Every block has the same total variance over the rows, and all features together have 1 on
        average: what standardised features have, so that a penalty means what it means for them.
    """
    parts = [normalise(X[:, blocks == name]) for name in dict.fromkeys(blocks.tolist())]
    width = sum(part.shape[1] for part in parts)
    return np.concatenate([weigh(part, width / len(parts)) for part in parts], axis=1)


def weigh(X: NDArray[np.floating], total: float = 1.0) -> NDArray[np.float32]:
    """Scale rows (n, d) by one factor, so that the variances of the features sum up to `total`.

    Of standardised features that is a division by the square root of the number that vary.
    """
    spread = float(X.var(axis=0, dtype=np.float64).sum())
    return (X * np.float32(np.sqrt(total / spread) if spread > 0 else 1)).astype(np.float32)
