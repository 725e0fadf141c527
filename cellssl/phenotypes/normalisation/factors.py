"""Factor analysis: the few causes behind what varies together, each feature's own noise apart."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.decomposition import FactorAnalysis

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.normalisation.whitening import Whitening
from cellssl.scores.scaling import varying

FACTORS = 50  # at most, by default

# Of more rows than this a seeded sample is fitted.
MOST_ROWS = 50_000


def fit_factors(reference: ArrayLike, *, factors: int = FACTORS) -> Whitening:
    """Fit a factor model; the map gives each row's expected factors.

    Parameters
    ----------
    reference : (N, D)
        The negative controls of all plates, each plate's scaling made alike before; 50,000 drawn
        where there are more.
    factors : int
        At most so many; fewer where the rows (N − 1) or the features that vary are.

    Returns
    -------
    Whitening
        From (D,) to (K,): the posterior mean of the factors, which have mean 0 and variance 1 in the
        model. Features that do not vary over the reference have no part in it.

    Raises
    ------
    EmbeddingError
        With fewer than three rows, or when they are all the same.

    Notes
    -----
    Ljosa et al., J. Biomol. Screen. 2013, take the factors of a sample of DMSO-treated cells whose
    features were scaled to each plate's percentiles, and average them over the cells of a treatment:
    `control-percentile+factor-analysis`. The map is linear, so that the average of the cells'
    factors is the factors of their average; but a model that is fitted to wells knows what varies
    between wells, one that is fitted to cells what varies between cells.
    """
    X = np.asarray(reference, dtype=np.float64)
    if len(X) < 3:
        raise EmbeddingError(f"factor analysis is fitted to three rows at least, got {len(X)}.")
    if factors < 1:
        raise EmbeddingError(f"factor analysis needs one factor at least, got {factors}.")
    if len(X) > MOST_ROWS:
        X = X[np.sort(np.random.default_rng(0).choice(len(X), MOST_ROWS, replace=False))]
    mean, deviation = X.mean(axis=0), X.std(axis=0)
    varies = varying(mean, deviation)
    if not varies.any():
        raise EmbeddingError(f"the {len(X)} rows that factors are fitted to are all the same.")
    count = min(factors, len(X) - 1, int(varies.sum()))
    scaled = (X[:, varies] - mean[varies]) / deviation[varies]
    model = FactorAnalysis(count, random_state=0).fit(scaled)
    weights = np.zeros((X.shape[1], count))
    # What the model makes of unit vectors is its map, of features as they are fitted.
    units = np.eye(int(varies.sum())) + model.mean_
    weights[varies] = model.transform(units) / deviation[varies, None]
    return Whitening(mean, weights, np.ones(count))
