"""Where groups of cells stand in one reference space, and what displacements do to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from cellssl.columns import CONTROL, PLATE, text_array, texts_of
from cellssl.phenotypes.columns import text_values
from cellssl.phenotypes.controls import is_negative
from cellssl.studies.audit.cells import wells_of
from cellssl.studies.audit.references import Reference, Space
from cellssl.studies.audit.separation import (
    Groups,
    by_chance,
    left_to_readout,
    pair_separation,
    shares_of_blocks,
    spread_by_chance,
    spread_separation,
    within,
)

__all__ = [
    "APART",
    "CLEAR",
    "VISIBLE",
    "Moved",
    "Standing",
    "losses",
    "share_lost",
    "visible_pairs",
]

VISIBLE = 1.0  # d' from which on a contrast is one: an even guess is then right in 69 % of cells
APART = 0.05  # d': less is nothing that could be lost, or bridged
# d' up to which a contrast is counted: of 1,000 cells 999 are put right, so that to lie still further
# apart tells no more cells, and what an operation takes of it is no loss.
CLEAR = 6.0


@dataclass(frozen=True)
class Moved:
    """What a case's displacements are.

    Attributes
    ----------
    noise : (P, P)
        Their covariance in the space, but for what moves all cells alike.
    features : (D,)
        Their variance in each standardised feature.
    distance : float
        Their root mean square.
    distances : (K,)
        And that of each class's cells.
    varies : bool
        Whether two views of a cell differ: what changes every view alike, as grey pictures only, leaves an
        encoder nothing to learn to allow for. Of one view it is taken for granted.
    """

    noise: NDArray[np.float64]
    features: NDArray[np.float64]
    distance: float
    distances: NDArray[np.float64]
    varies: bool


class Standing:
    """Cells in a reference space: their classes, or wells, and their nuisances.

    Parameters
    ----------
    reference
        The space's features.
    features
        (N, D) of the cells as they are.
    obs
        Their table (N rows).
    label
        Column of the classes; without one it is wells that are told apart.
    nuisances
        Columns whose differences say nothing of the phenotype.
    level
        Share of pairs of random classes, or of random nuisances, that are not to be taken for told.
    """

    def __init__(
        self,
        reference: Reference,
        features: NDArray[np.float64],
        obs: pd.DataFrame,
        *,
        label: str | None,
        nuisances: Mapping[str, str],
        level: float = 0.95,
    ) -> None:
        self.reference = reference
        self.space = Space.fit(features)
        self.flat = self.space.standardise(features)
        self.X = self.space.project(self.flat)
        self.label, self.level = label, level
        self.groups = Groups.of(wells_of(obs) if label is None else text_values(obs[label], label))
        self.nuisances = {
            name: _nuisance(self.X, obs, self.groups if label else None, column)
            for name, column in nuisances.items()
        }
        everyone = Groups(("all",), np.zeros(len(obs), np.int64))
        self.noise = within(self.X, self.groups if self.groups.names else everyone)
        self.pairs = self.separations()
        # From here on two classes, or wells, are told: further than they lie apart by chance.
        self.least = np.zeros((0, 0))  # (K, K)
        if label is None:
            self.wells, self.plates = _wells(obs)
            self.least_wells = spread_by_chance(self.X, self.wells, self.noise, blocks=self.plates)
        else:
            self.least = np.maximum(VISIBLE, by_chance(self.X, self.groups, level=level))

    def moved(self, made: NDArray[np.float64]) -> Moved:
        """Compare cells after a case (K, N, D) with the cells as they are."""
        flat = self.space.standardise(made) - self.flat
        flat = flat - flat.mean(axis=(0, 1))
        moves = self.space.project(flat)
        count = moves.shape[0] * moves.shape[1]
        noise = np.einsum("knp,knq->pq", moves, moves) / count
        each = (moves**2).sum(axis=2).mean(axis=0)
        codes = range(len(self.groups.names))
        own = np.array([np.sqrt(each[self.groups.codes == code].mean()) for code in codes])
        varies = len(made) < 2 or not np.allclose(made[1:], made[:-1])
        distance = float(np.sqrt(np.trace(noise)))
        return Moved(noise, (flat**2).mean(axis=(0, 1)), distance, own, varies)

    def spread(self) -> float:
        """Give the root mean square distance of two cells."""
        return float(np.sqrt(2 * self.X.var(axis=0).sum()))

    def relative(self, moved: Moved) -> float:
        """Give displacements in units of the distance between classes' means, or between cells."""
        if self.label is None or len(self.groups.names) < 2:
            return moved.distance / self.spread()
        apart = pdist(self.groups.means(self.X))
        return float(moved.distance / np.median(apart))

    def separations(self, moved: Moved | None = None) -> NDArray[np.float64]:
        """Separate every two classes, (K, K) of d'; without a label there are no pairs."""
        if self.label is None:
            return np.zeros((0, 0))
        noise = self.noise if moved is None else self.noise + moved.noise
        return pair_separation(self.X, self.groups, noise)

    def left_as_read(self, moved: Moved) -> NDArray[np.float64]:
        """Give the share (K, K) of d' that displacements leave to a readout that does not learn of them."""
        if not moved.varies:
            return np.ones_like(self.pairs)
        return left_to_readout(self.X, self.groups, self.noise, moved.noise)

    def cost_of_wells(self, moved: Moved) -> float:
        """Give the share that is lost of contrast between wells of a plate, where there is no label."""
        least, plates = self.least_wells, self.plates
        return self._share(self.X, self.wells, moved, blocks=plates, least=least, most=CLEAR)

    def bridged(self, name: str, moved: Moved) -> float:
        """Give the share of what a nuisance's values differ by that is lost; NaN where that is chance."""
        if not self._nuisances_apart[name]:
            return float("nan")
        X, groups = self.nuisances[name]
        return self._share(X, groups, moved, noise=self._nuisance_noise[name])

    def shares_of_plates(self) -> dict[str, float]:
        """Give each plate's share of what wells of one plate differ by; nothing where that is chance."""
        before = spread_separation(self.X, self.wells, self.noise, blocks=self.plates)
        if before <= max(APART, self.least_wells):
            return {}
        shares = shares_of_blocks(self.X, self.wells, self.noise, blocks=self.plates)
        names = dict(zip(self.plates.tolist(), self.wells.names, strict=True))
        return {
            names[block].rpartition("/")[0]: share for block, share in enumerate(shares.tolist())
        }

    def nuisance_separation(self, name: str) -> float:
        """Give how far a nuisance's values lie apart, root mean square d'; 0 where that is chance."""
        return self._nuisances_apart[name]

    @cached_property
    def _nuisances_apart(self) -> dict[str, float]:
        """Give `nuisance_separation` of each nuisance."""
        found = {}
        for name, (X, groups) in self.nuisances.items():
            one, noise = np.zeros(len(groups.names), np.int64), self._nuisance_noise[name]
            apart = spread_separation(X, groups, noise)
            least = spread_by_chance(X, groups, noise, blocks=one, level=self.level)
            found[name] = apart if apart > least else 0.0
        return found

    @cached_property
    def _nuisance_noise(self) -> dict[str, NDArray[np.float64]]:
        """Give the covariance (P, P) of cells about the mean of their nuisance's value, of each nuisance.

        About the mean of all it would hold what is to be bridged, and no separation of three plates could be
        above 1.7, however far apart they lie.
        """
        return {
            name: within(X, groups) if len(groups.names) > 1 else self.noise
            for name, (X, groups) in self.nuisances.items()
        }

    def erased(self, moved: Moved) -> dict[str, float]:
        """Give each feature's share of variance between views that is the operation's, by name.

        Nothing where features have no names.
        """
        if not self.reference.features:
            return {}
        own = self.flat.var(axis=0)
        share = moved.features / np.maximum(own + moved.features, 1e-9)
        return dict(zip(self.reference.features, share.tolist(), strict=True))

    def carrier(self, a: int, b: int, moved: Moved) -> int:
        """Find the feature by whose loss two classes lose most of what tells them apart."""
        means, inside = self._classes
        square = (means[a] - means[b]) ** 2
        return int(np.argmax(square / inside - square / (inside + moved.features)))

    @cached_property
    def _classes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give the classes' means (K, D), and the variance about them, of each standardised feature."""
        means = self.groups.means(self.flat)
        inside = (self.flat - means[self.groups.codes])[self.groups.codes >= 0].var(axis=0)
        return means, np.maximum(inside, 1e-6)

    def _share(
        self,
        X: NDArray[np.float64],
        groups: Groups,
        moved: Moved,
        *,
        noise: NDArray[np.float64] | None = None,
        blocks: NDArray[np.int64] | None = None,
        least: float = 0.0,
        most: float = np.inf,
    ) -> float:
        noise = self.noise if noise is None else noise
        before = spread_separation(X, groups, noise, blocks=blocks)
        if before <= max(APART, least):
            return float("nan")
        after = spread_separation(X, groups, noise + moved.noise, blocks=blocks)
        return float(lost(before, after, most=most))


def visible_pairs(pairs: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.int64]:
    """List the pairs (M, 2) of (K, K) d' that can be told apart at all."""
    return np.argwhere(np.triu((pairs >= least) & (pairs > 0), 1))


def losses(
    before: NDArray[np.float64], after: NDArray[np.float64], least: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the visible pairs, (M, 2), and the share that each loses, (M,)."""
    pairs = visible_pairs(before, least)
    at = tuple(pairs.T)
    return pairs, lost(before[at], after[at])


def share_lost(
    before: NDArray[np.float64], after: NDArray[np.float64], least: NDArray[np.float64]
) -> float:
    """Average the share that visible pairs lose; NaN where none is visible."""
    _, shares = losses(before, after, least)
    return float(shares.mean()) if len(shares) else float("nan")


def lost(before: ArrayLike, after: ArrayLike, *, most: float = CLEAR) -> NDArray[np.float64]:
    """Give the share of d' that is lost, of each contrast: what lies above `most` is none to lose.

    Examples
    --------
    >>> lost(np.array([4.0, 12.0, 12.0]), np.array([2.0, 6.5, 3.0])).tolist()
    [0.5, 0.0, 0.5]
    """
    return np.asarray(1 - np.minimum(after, most) / np.minimum(before, most))


def _wells(obs: pd.DataFrame) -> tuple[Groups, NDArray[np.int64]]:
    """Group cells by wells that are not alone on their plate, and give each well's plate (K,).

    What wells of two plates differ by may be the plates.
    """
    wells = Groups.of(wells_of(obs))
    if PLATE not in obs:
        return wells, np.zeros(len(wells.names), np.int64)
    plates = texts_of(obs[PLATE])
    names = np.array(["", *wells.names])[wells.codes + 1]  # empty for a cell of a well of one cell
    plate = plates.groupby(names).first().drop("", errors="ignore")
    plate = plate[plate.duplicated(keep=False)]
    kept = Groups.of(np.where(np.isin(names, plate.index), names, ""))
    plate = plate[list(kept.names)]  # which are in an order of their own
    return kept, np.unique(text_array(plate), return_inverse=True)[1].astype(np.int64)


def _nuisance(
    X: NDArray[np.float64], obs: pd.DataFrame, classes: Groups | None, column: str
) -> tuple[NDArray[np.float64], Groups]:
    """Take out what classes differ by, so that plates of unlike treatments can be compared.

    Classes that lie on one plate alone cannot say how plates differ and are left out. Without
    classes, negative controls alone are compared, where they are marked and on several plates.
    """
    values = text_array(texts_of(obs[column]))
    if classes is None:
        groups = Groups.of(np.where(is_negative(obs, CONTROL), values, ""))
        return X, groups if len(groups.names) > 1 else Groups.of(values)
    kept = np.zeros(len(X), dtype=bool)
    rest = X.copy()
    for code in range(len(classes.names)):
        rows = classes.codes == code
        rest[rows] -= X[rows].mean(axis=0)
        kept |= rows & (len(set(values[rows])) > 1)
    return rest, Groups.of(np.where(kept, values, ""))
