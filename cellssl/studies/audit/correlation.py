"""Rank correlations over a few settings, with an interval and how often chance does as well."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from cellssl.studies.audit.separation import Matrix

__all__ = ["RankCorrelation", "interval", "pair_correlation", "rank_correlation"]

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


def rank_correlation(predicted: Matrix, found: Matrix, *, beyond: bool = False) -> RankCorrelation:
    """Correlate the ranks of what K classes change by over S settings.

    Parameters
    ----------
    predicted, found : (S, K)
        Of one class, K = 1, it is the plain rank correlation.
    beyond
        Take out what all classes of a setting change by together.
    """
    s, k = found.shape

    def draws() -> NDArray[np.float64]:
        settings = np.random.default_rng(0).integers(0, s, (_DRAWS, s, 1))
        classes = np.random.default_rng(1).integers(0, k, (_DRAWS, 1, k))
        return _spearman(predicted[settings, classes], found[settings, classes], beyond)

    def every(orders: NDArray[np.int64]) -> NDArray[np.float64]:
        products = _ranks(predicted, beyond) @ _ranks(found, beyond).T  # of each setting with each
        return np.asarray(products[np.arange(s), orders].sum(axis=1))

    return _judged(float(_spearman(predicted, found, beyond)), draws, every, s)


def pair_correlation(predicted: Matrix, found: Matrix) -> RankCorrelation:
    """Correlate the ranks of what every two of S settings gain together.

    Pairs share settings: so it is settings that are resampled, and settings whose order is permuted
    (Mantel, Cancer Research 27 (1967) 209-220).

    Parameters
    ----------
    predicted, found : (S, S)
        Of each with each; what stands above the diagonal is read.
    """
    settings = np.random.default_rng(0)
    s = len(found)
    above = np.triu_indices(s, 1)
    predicted, found = (np.triu(one, 1) + np.triu(one, 1).T for one in (predicted, found))

    def column(values: Matrix, a: NDArray[np.int64], b: NDArray[np.int64]) -> Matrix:
        return np.asarray(values[a, b][:, None])

    def draw() -> float:
        chosen = settings.integers(0, s, s)
        a, b = chosen[above[0]], chosen[above[1]]
        a, b = a[a != b], b[a != b]
        if not len(a):
            return np.nan
        return float(_spearman(column(predicted, a, b), column(found, a, b)))

    def draws() -> NDArray[np.float64]:
        return np.array([draw() for _ in range(_DRAWS)])

    def every(orders: NDArray[np.int64]) -> NDArray[np.float64]:
        ranks = np.zeros((s, s))
        ranks[above] = _ranks(column(predicted, *above))[:, 0]
        ranks += ranks.T
        return np.asarray(
            ranks[orders[:, above[0]], orders[:, above[1]]] @ _ranks(column(found, *above))
        )

    value = float(_spearman(column(predicted, *above), column(found, *above)))
    return _judged(value, draws, every, s)


def interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Give the 95 % interval of draws, some of which may be NaN."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return np.nan, np.nan
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _judged(
    value: float,
    draws: Callable[[], NDArray[np.float64]],
    every: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    settings: int,
) -> RankCorrelation:
    """Give a correlation its draws, and twice the share of orders that correlate as well."""
    if np.isnan(value):
        return RankCorrelation(value, np.full(_DRAWS, np.nan), np.nan)
    values = every(_orders(settings)).ravel()
    above, below = (values >= values[0] - 1e-9).mean(), (values <= values[0] + 1e-9).mean()
    return RankCorrelation(value, draws(), float(min(1.0, 2 * min(above, below))))


def _orders(count: int) -> NDArray[np.int64]:
    """Order so many settings in all ways, or in many; the first is as they are."""
    if count <= _ALL_ORDERS:
        return np.array(list(permutations(range(count))))
    rng = np.random.default_rng(0)
    return np.array([np.arange(count), *(rng.permutation(count) for _ in range(_ORDERS))])


def _changes(values: Matrix, beyond: bool) -> Matrix:
    """Take out each class's mean, and with `beyond` each setting's: (…, S, K)."""
    values = values - values.mean(axis=-2, keepdims=True)
    if beyond:
        values = values - values.mean(axis=-1, keepdims=True)
    return values.round(12)  # what differs by rounding alone is the same


def _ranks(values: Matrix, beyond: bool = False) -> Matrix:
    """Rank all changes together, (…, S, K), in units in which products of two sum to a correlation."""
    changes = _changes(values, beyond)
    ranks = rankdata(changes.reshape(*values.shape[:-2], -1), axis=-1)
    ranks = ranks - ranks.mean(axis=-1, keepdims=True)
    size = np.sqrt((ranks**2).sum(axis=-1, keepdims=True))
    ranks = np.divide(ranks, size, out=np.full_like(ranks, np.nan), where=size > 0)
    return ranks.reshape(values.shape)


def _spearman(predicted: Matrix, found: Matrix, beyond: bool = False) -> NDArray[np.float64]:
    """Correlate (…, S, K) with (…, S, K): (…)."""
    return np.asarray((_ranks(predicted, beyond) * _ranks(found, beyond)).sum(axis=(-2, -1)))
