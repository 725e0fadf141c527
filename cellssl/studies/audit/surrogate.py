"""A stand-in for the encoder that views would train: what it would tell of a label, before training."""

from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.phenotypes import measure_embeddings
from cellssl.studies.audit.standing import Moved, Standing

__all__ = ["TOLD", "foretell", "surrogate"]

STRENGTH = 30.0
TOLD = ("ami_kmeans", "knn", "linear", "knn_batches", "linear_batches")
_DRAWS = 20  # intervals are not shown


def surrogate(standing: Standing, moves: Sequence[Moved] = ()) -> NDArray[np.float32]:
    """Weigh the directions of a reference space down by how much views vary them.

    An encoder that is trained to see two views as one forgets what they differ by: what a class
    lives in, and what a plate does. So cells (N, P) are whitened by their own covariance and
    `STRENGTH` times that of the views' displacements: directions that no view moves keep their
    variance, others fade.

    `STRENGTH` was chosen once, on the seven settings of the study bbbc021-combination, among 1 to
    300: from 10 on the order is about the same.

    Parameters
    ----------
    standing
        The cells in a reference space of P dimensions.
    moves
        Displacements of each group of views; of several groups the features stand side by side.
        None: the reference as it is.

    Returns
    -------
    (N, P × groups) float32
    """
    own = np.cov(standing.X.T)
    noises = [moved.noise for moved in moves] or [np.zeros_like(own)]
    parts = []
    for noise in noises:
        variances, axes = np.linalg.eigh(own + STRENGTH * noise)
        parts.append(standing.X @ (axes / np.sqrt(np.maximum(variances, 1e-6))))
    return np.hstack(parts).astype(np.float32)


def foretell(
    features: Sequence[tuple[str, NDArray[np.float32]]], obs: pd.DataFrame, label: str
) -> pd.DataFrame:
    """Score stand-ins as trained encoders are scored, on the same cells.

    Parameters
    ----------
    features
        Name and features (N, D) of each.
    obs
        The cells' table (N rows).
    label
        Column of the classes.

    Returns
    -------
    DataFrame
        A row each, indexed by name: the scores of `TOLD` that these cells allow.
    """
    stand_ins = [
        ad.AnnData(values, obs=obs.copy(), uns={"cellssl": {"name": name}})
        for name, values in features
    ]
    measured = measure_embeddings(
        stand_ins, label=label, normalise="none", resamples=_DRAWS, progress=False
    )
    scores = measured.scores
    own = scores[(scores["seed"] == "mean") & scores["metric"].isin(TOLD)]
    table = own.pivot_table(index="embedding", columns="metric", values="value", sort=False)
    return table.reindex(columns=[metric for metric in TOLD if metric in table])
