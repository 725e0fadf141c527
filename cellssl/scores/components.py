"""Principal components of few rows at once, or of a million block by block."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA

from cellssl.scores.scaling import feature_scale, row_blocks, standardise

# Up to so many rows scikit-learn's copies do no harm.
FEW_ROWS = 50_000


def principal_components(
    X: ArrayLike, components: int = 50, *, seed: int = 0
) -> NDArray[np.float32]:
    """Project rows on their leading principal components.

    Parameters
    ----------
    X : (N, D)
        Features, standardised before where that is wanted.
    components : int
        At most so many; fewer when N − 1 or D is smaller.

    Returns
    -------
    (N, min(components, N − 1, D)) float32
    """
    X = np.asarray(X, dtype=np.float32)
    count = max(1, min(components, X.shape[0] - 1, X.shape[1]))
    with np.errstate(invalid="ignore"):  # shares of no variance, of rows that are all alike
        return PCA(count, random_state=seed).fit_transform(X).astype(np.float32)


def standardised_components(
    X: ArrayLike, components: int = 50, *, seed: int = 0
) -> NDArray[np.float32]:
    """Standardise the features and project the rows on their leading principal components.

    More than 50,000 rows are never copied: mean, deviation and covariance are summed up block by
    block, exactly, so that beside X only the result and a matrix (D, D) are held.

    Parameters
    ----------
    X : (N, D)
        Features.
    components : int
        At most so many.
    seed : int
        Of the randomised solver that few, wide rows take.

    Returns
    -------
    (N, min(components, N − 1, D)) float32
    """
    X = np.asarray(X, dtype=np.float32)
    if len(X) <= FEW_ROWS:
        return principal_components(standardise(X), components, seed=seed)
    mean, scale = feature_scale(X)
    products = np.zeros((X.shape[1], X.shape[1]))
    blocks = row_blocks(len(X))
    for block in blocks:
        scaled = (X[block] - mean) * scale
        products += scaled.T @ scaled
    _, axes = np.linalg.eigh(products)
    axes = axes[:, ::-1][:, : min(components, X.shape[1])]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    result = np.empty((len(X), axes.shape[1]), dtype=np.float32)
    for block in blocks:
        result[block] = ((X[block] - mean) * scale) @ axes
    return result
