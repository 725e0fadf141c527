"""Resampling treatments: how far a score would move with other treatments or wells."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.stats import entropy, false_discovery_control, t

from cellssl.scores.clusters import adjusted_information, expected_information, label_codes

# With fewer units than this in a class the next finer unit is resampled.
FEW = 3

LEVEL = 0.95  # of every interval


@dataclass(frozen=True)
class Resamples:
    """Draws of units with replacement, the same for every score of the same cells.

    Predictions and clusters are kept and resampled; nothing is fitted again. So the draws say how
    much a score depends on the treatments at hand, and two embeddings' draws are paired.

    Attributes
    ----------
    units : (N,) int64
        Unit of each cell.
    weights : (B, U) float64
        How often each unit occurs in each draw.
    """

    units: NDArray[np.int64]
    weights: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> "Resamples":
        """Restrict the same draws to some of the cells."""
        return Resamples(self.units[rows], self.weights)

    def leaves_none(self) -> bool:
        """Say whether some draw holds none of the cells, so that a score has no interval."""
        return bool((self.weights[:, np.unique(self.units)].sum(axis=1) == 0).any())

    def mark(self, names: ArrayLike) -> str:
        """Hash how often each cell is drawn, whatever the order of the cells.

        Scores that were resampled at different times are paired where their marks are equal.

        Parameters
        ----------
        names : (N,) str
            A name for each cell.
        """
        named = np.asarray(names).astype(str)
        order = np.argsort(named)
        digest = hashlib.sha256("\n".join(named[order].tolist()).encode())
        columns = [hashlib.sha256(unit.tobytes()).digest() for unit in self.weights.T]
        for unit in self.units[order]:
            digest.update(columns[unit])
        return digest.hexdigest()[:16]

    def mean(self, values: ArrayLike) -> NDArray[np.float64]:
        """Mean of the cells' values (N,) in each draw: (B,)."""
        count = self.weights.shape[1]
        total = np.bincount(self.units, np.asarray(values, dtype=np.float64), minlength=count)
        return self.weights @ total / (self.weights @ np.bincount(self.units, minlength=count))

    def balanced_accuracy(self, labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
        """Balanced accuracy of predictions (N,) in each draw: (B,)."""
        return np.nanmean(self.class_accuracies(labels, predictions), axis=1)

    def class_accuracies(self, labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
        """Share of each class that is predicted right, in each draw: (B, K), classes sorted."""
        labels, predictions = np.asarray(labels), np.asarray(predictions)
        codes = label_codes(labels)
        cells, right = self._counts(codes), self._counts(codes, labels == predictions)
        return right / np.where(cells > 0, cells, np.nan)

    def class_units(self, labels: ArrayLike) -> NDArray[np.int64]:
        """Count the units that each class's draws are made of: (K,), classes sorted."""
        pairs = pd.DataFrame({"label": np.asarray(labels), "unit": self.units})
        return pairs.groupby("label")["unit"].nunique().to_numpy().astype(np.int64)

    def ami(self, labels: ArrayLike, clusters: ArrayLike) -> NDArray[np.float64]:
        """Compute the AMI of two assignments (N,) in each draw: (B,).

        The information expected by chance is that of all cells: it depends on the margins alone.
        """
        rows, columns = label_codes(labels), label_codes(clusters)
        # Of many classes most pairs of a label and a cluster have no cell: those that have some are counted.
        pairs = label_codes(rows * (columns.max(initial=0) + 1) + columns)
        entropies = [entropy(self._counts(codes), axis=1) for codes in (rows, columns, pairs)]
        return adjusted_information(*entropies, chance=expected_information(rows, columns))

    def _counts(self, codes: NDArray[np.int64], counted: ArrayLike = True) -> NDArray[np.float64]:
        """Cells of each code 0 … K − 1 in each draw, of all or of those `counted` (N,): (B, K)."""
        ones = np.broadcast_to(counted, len(codes)).astype(np.float64)
        shape = (self.weights.shape[1], codes.max(initial=-1) + 1)
        cells = sparse.coo_array((ones, (self.units, codes)), shape=shape).tocsr()
        return np.ascontiguousarray((cells.T @ self.weights.T).T)


def draw_resamples(
    classes: ArrayLike, units: Sequence[ArrayLike] = (), *, count: int = 400, seed: int = 0
) -> Resamples:
    """Draw units with replacement within each class, so that no class vanishes.

    Parameters
    ----------
    classes : (N,)
        Class of each cell.
    units : sequence of (N,)
        From coarse to fine: treatments, then wells. A class with fewer than three treatments (the
        negative control always is one) resamples its wells; with fewer than three wells, its cells.
    count : int
        Draws.

    Returns
    -------
    Resamples
    """
    codes = label_codes(classes)
    levels = [pd.factorize(np.asarray(level))[0] for level in units]
    unit = np.empty(len(codes), dtype=np.int64)
    generator = np.random.default_rng(seed)
    blocks: list[NDArray[np.float64]] = []
    first = 0
    for code in range(codes.max(initial=-1) + 1):
        cells = np.flatnonzero(codes == code)
        names = _units_of(cells, levels)
        size = names.max() + 1
        unit[cells] = first + names
        first += size
        drawn = generator.multinomial(size, np.full(size, 1 / size), size=count)
        blocks.append(drawn.astype(np.float64))
    return Resamples(unit, np.concatenate(blocks, axis=1))


def _units_of(cells: NDArray[np.int64], levels: Sequence[NDArray]) -> NDArray[np.int64]:
    """Give a class's cells the number of their unit, at the coarsest level with enough units."""
    for level in levels:
        names, numbers = np.unique(level[cells], return_inverse=True)
        if len(names) >= FEW:
            return numbers
    return np.arange(len(cells))


def interval(
    value: ArrayLike,
    draws: NDArray[np.float64],
    *,
    further: Sequence[tuple[ArrayLike, int]] = (),
    within: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Any, Any]:
    """95 % interval of a score, or of each of several, from its draws, centred on the score.

    Repeated units raise mutual information a little, so the draws as a whole are shifted to have
    the score as their mean; their quantiles are the interval. What lies outside `within` is cut off:
    the truth is never there, so the interval misses it no more often than before. Differences are
    made of what is not cut.

    Parameters
    ----------
    value : (…) float
    draws : (B, …)
        Of the score, in resamples of units.
    further : sequence of ((…) float, int)
        Variances that come on top, each with its degrees of freedom: two, of three training seeds.
        They widen either side by Student's quantile, as in `joint_intervals`.
    within : (float, float)
        Values that the score can have: 0 and 1 for an accuracy.

    Returns
    -------
    low, high : (…) float

    Examples
    --------
    >>> low, high = interval(0.5, np.zeros(9), further=[(0.01**2, 2)])  # three seeds
    >>> print(low.round(3), high.round(3))
    0.457 0.543
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws - draws.mean(axis=0), (tail, 1 - tail), axis=0)
    more = np.sqrt(
        sum(_quantile(freedom) ** 2 * np.asarray(variance) for variance, freedom in further)
    )
    ends = value - np.hypot(low, more), value + np.hypot(high, more)
    return np.maximum(ends[0], within[0]), np.minimum(ends[1], within[1])


@cache  # asked for each of thousands of differences
def _quantile(freedom: int) -> float:
    """Student's quantile of a 95 % interval."""
    return float(t.isf((1 - LEVEL) / 2, freedom))


def joint_intervals(
    differences: ArrayLike,
    draws: ArrayLike,
    units: ArrayLike,
    *,
    further: Sequence[tuple[ArrayLike, int]] = (),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % intervals of several differences that hold for all of them at once.

    Of a dozen 95 % intervals that hold one by one, some miss every other time: these are as much
    wider as K independent ones must be. A deviation that is known from few units, or few training
    seeds, is itself uncertain: Student's quantile takes the normal one's place. Units that all say
    the same are trusted as if one more had said that there is no difference.

    Parameters
    ----------
    differences : (K,)
        0 where there is none.
    draws : (B, K)
        Of each difference, in resamples of units.
    units : (K,)
        How many units each difference's draws are made of.
    further : sequence of ((K,), int)
        Variances that come on top, each with its degrees of freedom: two, of three training seeds.

    Returns
    -------
    low, high : (K,) float64

    Notes
    -----
    Šidák, JASA 1967: conservative where classes depend on each other. Variances of different degrees
    of freedom are each scaled by their own quantile (Banerjee, Sankhyā 1960): misses no more often
    than it says, whichever is the larger.
    """
    found, drawn, count = (np.asarray(x, dtype=np.float64) for x in (differences, draws, units))
    freedom = np.maximum(count - 1, 1)
    sampled = np.maximum(drawn.var(axis=0) * (1 + 1 / freedom), (found / count) ** 2)
    tail = (1 - LEVEL ** (1 / len(found))) / 2
    parts = [(sampled, freedom), *((np.asarray(variance), own) for variance, own in further)]
    half = np.sqrt(np.sum([t.isf(tail, own) ** 2 * variance for variance, own in parts], axis=0))
    return found - half, found + half


def false_discovery_rate(p_values: ArrayLike) -> NDArray[np.float64]:
    """Correct p-values (K,) for their number (Benjamini & Hochberg 1995); NaN stays and is not counted.

    Examples
    --------
    >>> false_discovery_rate([0.01, float("nan"), 0.04]).tolist()
    [0.02, nan, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(p)
    q = np.full(len(p), np.nan)
    if known.any():
        q[known] = false_discovery_control(p[known])
    return q
