"""A seeded sample of cells that every well has its share in."""

import numpy as np
import pandas as pd

from cellssl.errors import EmbeddingError

__all__ = ["sample_wells"]


def sample_wells(obs: pd.DataFrame, n: int, *, seed: int = 0) -> np.ndarray:
    """Draw cells evenly over the wells.

    Every well of every plate gives the same number of cells, or all it has where it has fewer; the
    cells that do not divide evenly come from wells drawn at random. The draw depends on the seed
    and the table alone, so that all embeddings of the same cells are sampled alike.

    Parameters
    ----------
    obs : DataFrame
        Cells, with Metadata_Plate and Metadata_Well where there are such.
    n : int
        Cells wanted; all are taken when there are not so many.
    seed : int
        Of the draw.

    Returns
    -------
    ndarray
        Row numbers, int64, in ascending order.
    """
    if n < 1:
        raise EmbeddingError(f"a sample needs at least one cell, got sample={n}.")
    random = np.random.default_rng(seed)
    wells = _wells(obs)
    shuffled = random.permutation(len(obs))
    # Each cell's turn: how many cells of its own well were drawn before it. Taking cells by turn
    # takes one of each well, then a second of each that has two, and so on.
    turn = pd.Series(wells[shuffled]).groupby(wells[shuffled]).cumcount().to_numpy()
    chosen = shuffled[np.argsort(turn, kind="stable")[:n]]
    return np.sort(chosen)


def _wells(obs: pd.DataFrame) -> np.ndarray:
    """Give each cell its well's number over all plates; without such columns, 0."""
    columns = [name for name in ("Metadata_Plate", "Metadata_Well") if name in obs]
    if not columns:
        return np.zeros(len(obs), np.int64)
    texts = obs[columns].astype(str)
    return texts.groupby(columns, sort=True).ngroup().to_numpy()
