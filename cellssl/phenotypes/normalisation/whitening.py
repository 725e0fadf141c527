"""Linear maps that make features of a reference uncorrelated, or give batches one covariance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellssl.errors import EmbeddingError

# Variances below this share of the largest are rounding.
ROUNDING = 1e-10

# Rows mapped at a time, in double precision.
BLOCK = 65536


@dataclass(frozen=True)
class Whitening:
    """A map fitted to a reference, applied to any rows.

    Attributes
    ----------
    mean : (D,) float64
        Of the reference.
    axes : (D, K) float64
        Its principal axes, those of the largest variance first.
    scale : (K,) float64
        What a row's place along each axis is multiplied by.
    rotate_back : bool
        Whether the result is in the features (D) rather than along the axes (K).
    rest : float
        With `rotate_back`: what the part of a row outside the axes is multiplied by.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    scale: NDArray[np.float64]
    rotate_back: bool = False
    rest: float = 0.0

    def apply(self, X: ArrayLike) -> NDArray[np.floating]:
        """Map rows (N, D) to (N, K), or (N, D) when it rotates back; float32 stays float32."""
        X = np.asarray(X)
        width = len(self.mean) if self.rotate_back else len(self.scale)
        result = np.empty((len(X), width), dtype=_kept_type(X))
        for start in range(0, len(X), BLOCK):
            rows = slice(start, start + BLOCK)
            centred = X[rows] - self.mean
            along = centred @ self.axes
            if self.rotate_back:
                along = (along * (self.scale - self.rest)) @ self.axes.T + centred * self.rest
            else:
                along = along * self.scale
            result[rows] = along
        return result


def fit_sphering(reference: ArrayLike, *, prior: float = 1.0) -> Whitening:
    """Fit ZCA sphering: the least change of the features that makes the reference a sphere.

    Parameters
    ----------
    reference : (N, D)
        Usually the negative controls.
    prior : float
        Added to each axis' variance, in units of the mean variance of the D features. Few wells and
        many features leave axes that hardly vary by chance; without a prior they would be blown up.
        0: the covariance of what it is fitted to becomes the identity (on the axes that it spans).

    Returns
    -------
    Whitening

    Raises
    ------
    EmbeddingError
        When the prior is below 0, there are fewer than two rows, or all are the same.

    Notes
    -----
    Kessy, Lewin and Strimmer, Am. Stat. 2018.
    """
    if prior < 0:
        raise EmbeddingError(f"a prior variance is 0 or more, got {prior}.")
    mean, axes, variance = _principal_axes(reference)
    added = prior * variance.sum() / len(mean)
    rest = float(1 / np.sqrt(added)) if added > 0 else 0.0
    return Whitening(mean, axes, 1 / np.sqrt(variance + added), rotate_back=True, rest=rest)


def fit_whitening(reference: ArrayLike, *, share: float = 0.99) -> Whitening:
    """Fit PCA whitening: the reference's leading components, each with mean 0 and variance 1.

    Parameters
    ----------
    reference : (N, D)
        The negative controls of all plates: what differs among them is typical variation, not
        biology, and counts less the larger it is.
    share : float
        Components are kept until they hold this share of the variance.

    Returns
    -------
    Whitening
        The covariance of what it is fitted to is the identity.

    Raises
    ------
    EmbeddingError
        When the share is not above 0 and at most 1, there are fewer than two rows, or all are the same.

    Notes
    -----
    The first half of typical-variation normalisation (Ando, McLean and Berndl, bioRxiv 2017), whose
    other half is `coral`.
    """
    if not 0 < share <= 1:
        raise EmbeddingError(f"a share of the variance is above 0 and at most 1, got {share}.")
    mean, axes, variance = _principal_axes(reference)
    enough = np.searchsorted(np.cumsum(variance) / variance.sum(), share - ROUNDING) + 1
    return Whitening(mean, axes[:, :enough], 1 / np.sqrt(variance[:enough]))


def coral(
    X: ArrayLike, batches: ArrayLike, *, reference: ArrayLike | None = None, prior: float = 1.0
) -> NDArray[np.floating]:
    """Give the reference rows of every batch the mean and covariance of all reference rows.

    Parameters
    ----------
    X : (N, D)
        Features.
    batches : (N,)
        Batch of each row.
    reference : (N,) bool, optional
        The negative controls; all rows when left out.
    prior : float
        Added to the diagonal of every covariance, in units of the mean variance of the reference:
        1 keeps what a batch's few controls do not know. 0: covariances agree exactly, which needs
        more controls in each batch than features.

    Returns
    -------
    (N, D) float64, or float32 when X is

    Raises
    ------
    EmbeddingError
        When a batch has fewer than two reference rows, or the prior is too small for so few.

    Notes
    -----
    Sun, Feng and Saenko, AAAI 2016.
    """
    X, batches = np.asarray(X), np.asarray(batches)
    chosen = np.ones(len(X), dtype=bool) if reference is None else np.asarray(reference, dtype=bool)
    target = _covariance(X[chosen])
    added = prior * np.trace(target) / X.shape[1] * np.eye(X.shape[1])
    colour, mean = _power(target + added, 0.5), X[chosen].mean(axis=0, dtype=np.float64)
    result = np.empty(X.shape, dtype=_kept_type(X))
    for batch in np.unique(batches):
        here = batches == batch
        own = X[here & chosen]
        if len(own) < 2:
            raise EmbeddingError(
                f"CORAL needs two reference rows in each batch, {batch} has {len(own)}."
            )
        recolour = _power(_covariance(own) + added, -0.5) @ colour
        result[here] = (X[here] - own.mean(axis=0, dtype=np.float64)) @ recolour + mean
    return result


def _kept_type(X: NDArray) -> type[np.floating]:
    """Keep single precision where it is given; all else is double."""
    return np.float32 if X.dtype == np.float32 else np.float64


def _principal_axes(
    reference: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean (D,), axes (D, K) that vary, and their variances (K,), the largest first."""
    X = np.asarray(reference, dtype=np.float64)
    if len(X) < 2:
        raise EmbeddingError(f"whitening is fitted to two rows at least, got {len(X)}.")
    mean = X.mean(axis=0)
    centred = X - mean
    if len(X) <= X.shape[1]:
        _, lengths, rows = np.linalg.svd(centred, full_matrices=False)
        variance, axes = lengths**2 / (len(X) - 1), rows.T
    else:
        variance, axes = np.linalg.eigh(_covariance(X))
        variance, axes = variance[::-1], axes[:, ::-1]
    kept = variance > ROUNDING * variance.max()
    if not kept.any():
        raise EmbeddingError(f"the {len(X)} rows that whitening is fitted to are all the same.")
    return mean, axes[:, kept], variance[kept]


def _covariance(X: NDArray[np.floating]) -> NDArray[np.float64]:
    """Covariance (D, D) of rows (N, D)."""
    centred = X - X.mean(axis=0, dtype=np.float64)
    return centred.T @ centred / (len(X) - 1)


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Raise a symmetric positive matrix (D, D) to a power."""
    values, axes = np.linalg.eigh(matrix)
    if exponent < 0 and values.min() <= ROUNDING * values.max():
        raise EmbeddingError(
            "a batch has too few reference rows for its covariance to be inverted: raise the prior."
        )
    return (axes * np.maximum(values, 0) ** exponent) @ axes.T
