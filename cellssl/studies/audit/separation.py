"""How far groups of cells lie apart, before and after an operation's displacements are noise.

Arrays in, numbers out. A space is a cloud of cells (N, D); an operation is a covariance W (D, D) of
how it moves them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm
from sklearn.covariance import ledoit_wolf

from cellssl.words import natural_key

Matrix = NDArray[np.float64]

VISIBLE = 1.0  # d' from which on a contrast is one: an even guess is then right in 69 % of cells
# d' up to which a contrast is counted: of 1,000 cells 999 are put right, so that to lie still further
# apart tells no more cells, and what an operation takes of it is no loss.
CLEAR = 6.0

DEALS = 100  # of cells at random, to see how far apart groups lie by chance
_ENOUGH = 20_000  # pairs dealt out, for a quantile


@dataclass(frozen=True)
class Groups:
    """Cells put into named groups.

    Attributes
    ----------
    names : tuple of str
        The K groups, doses in the order of their numbers.
    codes : (N,) int64
        Each cell's group; −1 for none.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    @classmethod
    def of(cls, values: ArrayLike, *, fewest: int = 2) -> "Groups":
        """Group equal texts; empty ones, and groups of fewer than `fewest` cells, are none."""
        texts = np.asarray(values).astype(str)
        kinds, counts = np.unique(texts, return_counts=True)
        kept = [k for k, n in zip(kinds.tolist(), counts, strict=True) if k and n >= fewest]
        kept.sort(key=natural_key)
        place = {name: index for index, name in enumerate(kept)}
        return cls(tuple(kept), np.array([place.get(t, -1) for t in texts.tolist()], np.int64))

    def counts(self) -> NDArray[np.int64]:
        """Count the cells of each group: (K,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))

    def means(self, X: Matrix) -> Matrix:
        """Average each group's cells: (K, D)."""
        return np.stack([X[self.codes == code].mean(axis=0) for code in range(len(self.names))])


def within(X: Matrix, groups: Groups) -> Matrix:
    """Estimate the covariance of cells about their group's mean, shrunk after Ledoit & Wolf: (D, D)."""
    known = groups.codes >= 0
    apart = X[known] - groups.means(X)[groups.codes[known]]
    return np.asarray(ledoit_wolf(apart, assume_centered=True)[0])


def pair_separation(X: Matrix, groups: Groups, noise: Matrix) -> Matrix:
    """Separate every two groups: (K, K) of d', the distance of means in units of the noise.

    d'² = Δᵀ noise⁻¹ Δ (Mahalanobis), less what it is by chance with so many cells; not below 0.
    """
    means, counts = groups.means(X), groups.counts()
    chance = np.trace(np.linalg.solve(noise, within(X, groups)))
    white = np.linalg.solve(np.linalg.cholesky(noise), means.T).T
    squares = squareform(pdist(white, "sqeuclidean"))
    result = np.sqrt(np.maximum(squares - chance * np.add.outer(1 / counts, 1 / counts), 0.0))
    np.fill_diagonal(result, 0.0)
    return result


def left_to_readout(X: Matrix, groups: Groups, noise: Matrix, more: Matrix) -> Matrix:
    """Say what share of d' more noise leaves to the readout that told two groups before it: (K, K).

    Where `pair_separation` reads anew what is left, this one keeps its weights w = noise⁻¹ Δ: it leaves
    1 / √(1 + wᵀ more w / wᵀ noise w).
    """
    means = groups.means(X)
    weights = np.linalg.solve(
        noise, (means[:, None] - means[None]).reshape(-1, X.shape[1]).T
    )  # (D, K K)
    before, added = (
        np.maximum((weights * (by @ weights)).sum(axis=0), 0.0) for by in (noise, more)
    )
    share = np.where(before > 0, added / np.where(before > 0, before, 1.0), 0.0)
    return np.asarray(1 / np.sqrt(1 + share)).reshape(len(means), len(means))


def by_chance(X: Matrix, groups: Groups, *, level: float = 0.95) -> Matrix:
    """Say how far apart two groups lie at most when cells are dealt out at random: (K, K) of d'.

    At most in a share `level` of draws. By chance, d'² goes with 1/n + 1/m: so pairs of all sizes
    say together how far, and two groups of few cells are allowed more.
    """
    rng = np.random.default_rng(0)
    upper = np.triu_indices(len(groups.names), 1)
    few = np.add.outer(1 / groups.counts(), 1 / groups.counts())
    if not len(upper[0]):
        return np.zeros_like(few)
    known = groups.codes >= 0
    X, codes = X[known], groups.codes[known]
    found = []
    for _ in range(min(DEALS, max(1, _ENOUGH // len(upper[0])))):
        dealt = Groups(groups.names, rng.permutation(codes))
        apart = pair_separation(X, dealt, within(X, dealt))
        found.append((apart**2 / few)[upper])
    return np.asarray(np.sqrt(np.quantile(np.concatenate(found), level) * few))


def put_right(pairs: Matrix) -> float:
    """Say how often a cell is put right between two groups that lie (K, K) d' apart: mean of all pairs."""
    upper = pairs[np.triu_indices(len(pairs), 1)]
    return float(norm.cdf(upper / 2).mean()) if len(upper) else float("nan")


def visible_pairs(pairs: Matrix, least: Matrix) -> NDArray[np.int64]:
    """List the pairs (M, 2) of (K, K) d' that can be told apart at all."""
    return np.argwhere(np.triu((pairs >= least) & (pairs > 0), 1))


def losses(before: Matrix, after: Matrix, least: Matrix) -> tuple[NDArray[np.int64], Matrix]:
    """Give the visible pairs, (M, 2), and the share that each loses, (M,)."""
    pairs = visible_pairs(before, least)
    at = tuple(pairs.T)
    return pairs, lost(before[at], after[at])


def share_lost(before: Matrix, after: Matrix, least: Matrix) -> float:
    """Average the share that visible pairs lose; NaN where none is visible."""
    _, shares = losses(before, after, least)
    return float(shares.mean()) if len(shares) else float("nan")


def lost(before: ArrayLike, after: ArrayLike, *, most: float = CLEAR) -> Matrix:
    """Give the share of d' that is lost, of each contrast: what lies above `most` is none to lose.

    Examples
    --------
    >>> lost(np.array([4.0, 12.0, 12.0]), np.array([2.0, 6.5, 3.0])).tolist()
    [0.5, 0.0, 0.5]
    """
    return np.asarray(1 - np.minimum(after, most) / np.minimum(before, most))
