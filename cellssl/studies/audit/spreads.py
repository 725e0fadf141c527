"""Groups that are separated all at once: wells of a plate, or the values of a nuisance."""

import numpy as np
from numpy.typing import NDArray

from cellssl.studies.audit.separation import DEALS, Groups, Matrix, lost

APART = 0.05  # d': less is nothing that could be lost, or bridged


class Spread:
    """Groups of cells, and how far they lie apart, root mean square d'.

    Parameters
    ----------
    X, groups, noise, blocks
        As in `spread_separation`.
    level
        Share of separations by chance that are not to be taken for one.

    Attributes
    ----------
    apart : float
        0 where it is no more than chance: when cells are dealt out within their block.
    """

    def __init__(
        self,
        X: Matrix,
        groups: Groups,
        noise: Matrix,
        *,
        blocks: NDArray[np.int64] | None = None,
        level: float = 0.95,
    ) -> None:
        self.X, self.groups, self.noise = X, groups, noise
        self.blocks = np.zeros(len(groups.names), np.int64) if blocks is None else blocks
        apart = spread_separation(X, groups, noise, blocks=self.blocks)
        self.apart = apart if apart > np.quantile(self._by_chance(), level) else 0.0

    def lost(self, more: Matrix, *, most: float = np.inf) -> float:
        """Give the share of `apart`, up to `most`, that more noise takes; NaN where that is chance."""
        if self.apart <= APART:
            return float("nan")
        after = spread_separation(self.X, self.groups, self.noise + more, blocks=self.blocks)
        return float(lost(self.apart, after, most=most))

    def shares(self) -> Matrix:
        """Say how much of what groups differ by within their blocks, beyond chance, is each block's: (B,).

        NaN where groups differ by chance alone.
        """
        between, inside = _squares(self.X, self.groups, self.noise, self.blocks)
        beyond = np.bincount(self.blocks, between) - inside * (np.bincount(self.blocks) - 1)
        beyond = np.maximum(beyond, 0.0)
        return beyond / beyond.sum() if beyond.any() else np.full(len(beyond), np.nan)

    def _by_chance(self) -> list[float]:
        """Separate cells that are dealt out within their block, again and again."""
        rng = np.random.default_rng(0)
        known = self.groups.codes >= 0
        X, groups = self.X[known], Groups(self.groups.names, self.groups.codes[known])
        block = self.blocks[groups.codes]
        places = np.argsort(block, kind="stable")
        found = []
        for _ in range(DEALS):
            shuffled = np.empty_like(X)
            shuffled[places] = X[np.lexsort((rng.random(len(X)), block))]  # in order of blocks
            found.append(spread_separation(shuffled, groups, self.noise, blocks=self.blocks))
        return found


def spread_separation(
    X: Matrix, groups: Groups, noise: Matrix, *, blocks: NDArray[np.int64] | None = None
) -> float:
    """Separate all groups at once: root of the trace of noise⁻¹ × the covariance between groups.

    Between groups is what the means vary by beyond what so few cells a group vary by anyway
    (analysis of variance, groups as random effects, nested in blocks where there are such).

    Parameters
    ----------
    X, groups, noise
        Cells (N, D), the K groups that they are in, and the noise (D, D).
    blocks
        (K,) the block of each group, from 0 on: groups are compared with those of their block alone.
    """
    counts = groups.counts()
    blocks = np.zeros(len(counts), np.int64) if blocks is None else blocks
    n, freedom = counts.sum(), len(counts) - len(set(blocks.tolist()))
    if freedom < 1 or n <= len(counts):
        return 0.0
    between, inside = _squares(X, groups, noise, blocks)
    cells = np.bincount(blocks, counts)  # of each block
    size = (n - (counts**2 / cells[blocks]).sum()) / freedom
    return float(np.sqrt(max(between.sum() / freedom - inside, 0.0) / size))


def _squares(
    X: Matrix, groups: Groups, noise: Matrix, blocks: NDArray[np.int64]
) -> tuple[Matrix, float]:
    """Give each group's square about its block's mean, (K,), and cells' mean square about their group's."""
    known = groups.codes >= 0
    X, codes, counts = X[known], groups.codes[known], groups.counts()
    means = Groups(groups.names, codes).means(X)
    centres = np.stack([X[blocks[codes] == block].mean(axis=0) for block in np.unique(blocks)])
    inverse = np.linalg.inv(noise)

    def square(rows: Matrix) -> Matrix:
        return np.asarray(np.einsum("nd,de,ne->n", rows, inverse, rows))

    inside = square(X - means[codes]).sum() / (len(X) - len(counts))
    return square(means - centres[blocks]) * counts, float(inside)
