"""Rank correlations over a few settings, with an interval and how often chance does as well."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cellssl.studies.audit.separation import Matrix

_DRAWS = 2000
_ORDERS = 9999
_ALL_ORDERS = 7  # settings up to which every order is looked at


@dataclass(frozen=True)
class RankCorrelation:
    """A Spearman correlation over settings, over classes in settings, or over pairs of settings.

    Attributes
    ----------
    value : float
        NaN where all changes of either side are the same.
    draws : (2000,)
        Its values in resampled settings and classes, the same ones whatever is correlated; NaN where
        all changes of a draw are the same.
    p_value : float
        Twice the share of orders of the settings that correlate as well.
    """

    value: float
    draws: NDArray[np.float64]
    p_value: float

    @property
    def interval(self) -> tuple[float, float]:
        """Give its 95 % interval."""
        return interval(self.draws)


_NOT_KNOWN = RankCorrelation(np.nan, np.full(_DRAWS, np.nan), np.nan)


def rank_correlation(predicted: Matrix, found: Matrix, *, beyond: bool = False) -> RankCorrelation:
    """Correlate the ranks of what K classes change by over S settings.

    Parameters
    ----------
    predicted, found : (S, K)
        Of one class, K = 1, it is the plain rank correlation.
    beyond
        Take out what all classes of a setting change by together.
    """
    value = float(_spearman(predicted, found, beyond))
    if np.isnan(value):
        return _NOT_KNOWN
    s, k = found.shape
    settings = np.random.default_rng(0).integers(0, s, (_DRAWS, s, 1))
    classes = np.random.default_rng(1).integers(0, k, (_DRAWS, 1, k))
    draws = _spearman(predicted[settings, classes], found[settings, classes], beyond)
    products = _ranks(predicted, beyond) @ _ranks(found, beyond).T  # of each setting with each
    permuted = products[np.arange(s), _orders(s)].sum(axis=1)
    return RankCorrelation(value, draws, _p_value(permuted))


def pair_correlation(predicted: Matrix, found: Matrix) -> RankCorrelation:
    """Correlate the ranks of what every two of S settings gain together.

    Pairs share settings: so it is settings that are resampled, and settings whose order is permuted
    (Mantel, Cancer Research 27 (1967) 209-220).

    Parameters
    ----------
    predicted, found : (S, S)
        Of each with each; what stands above the diagonal is read.
    """
    s = len(found)
    above = np.triu_indices(s, 1)
    value = float(_spearman(predicted[above][:, None], found[above][:, None]))
    if np.isnan(value):
        return _NOT_KNOWN
    predicted, found = (np.triu(one, 1) + np.triu(one, 1).T for one in (predicted, found))
    rng, draws = np.random.default_rng(0), np.full(_DRAWS, np.nan)
    for draw in range(_DRAWS):
        chosen = rng.integers(0, s, s)
        a, b = chosen[above[0]], chosen[above[1]]
        pairs = a[a != b], b[a != b]
        if len(pairs[0]):
            draws[draw] = _spearman(predicted[pairs][:, None], found[pairs][:, None])
    ranks = np.zeros((s, s))
    ranks[above] = _ranks(predicted[above][:, None])[:, 0]
    ranks += ranks.T
    orders = _orders(s)
    permuted = ranks[orders[:, above[0]], orders[:, above[1]]] @ _ranks(found[above][:, None])
    return RankCorrelation(value, draws, _p_value(permuted))


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Give the 95 % interval of draws, some of which may be NaN."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _p_value(permuted: NDArray[np.float64]) -> float:
    """Give twice the share of orders that correlate as well as the first, which is as they are."""
    above, below = (permuted >= permuted[0] - 1e-9).mean(), (permuted <= permuted[0] + 1e-9).mean()
    return float(min(1.0, 2 * min(above, below)))


def _orders(count: int) -> NDArray[np.int64]:
    """Order so many settings in all ways, or in many; the first is as they are."""
    if count <= _ALL_ORDERS:
        return np.array(list(permutations(range(count))))
    rng = np.random.default_rng(0)
    return np.array([np.arange(count), *(rng.permutation(count) for _ in range(_ORDERS))])


def _ranks(values: Matrix, beyond: bool = False) -> Matrix:
    """Rank all changes together, (…, S, K), in units in which products of two sum to a correlation.

    Changes are from each class's mean, and with `beyond` from each setting's too.
    """
    changes = values - values.mean(axis=-2, keepdims=True)
    if beyond:
        changes = changes - changes.mean(axis=-1, keepdims=True)
    changes = changes.round(12)  # what differs by rounding alone is the same
    ranks = rankdata(changes.reshape(*values.shape[:-2], -1), axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    size = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    ranks = np.divide(ranks, size, out=np.full_like(ranks, np.nan), where=size > 0)
    return ranks.reshape(values.shape)


def _spearman(predicted: Matrix, found: Matrix, beyond: bool = False) -> NDArray[np.float64]:
    """Correlate (…, S, K) with (…, S, K): (…)."""
    return np.asarray((_ranks(predicted, beyond) * _ranks(found, beyond)).sum(axis=(-2, -1)))
