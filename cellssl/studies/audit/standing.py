"""Where groups of cells stand in one reference space, and what displacements do to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.spatial.distance import pdist

from cellssl.columns import CONTROL, PLATE, text_array, texts_of
from cellssl.phenotypes.columns import text_values
from cellssl.phenotypes.controls import is_negative
from cellssl.studies.audit.cells import wells_of
from cellssl.studies.audit.references import Reference, Space
from cellssl.studies.audit.separation import (
    VISIBLE,
    Groups,
    Matrix,
    by_chance,
    left_to_readout,
    pair_separation,
    within,
)
from cellssl.studies.audit.spreads import APART, Spread


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
    middle : (N, P) or None
        Where cells are turned, the mean of each cell's views.
    """

    noise: Matrix
    features: Matrix
    distance: float
    distances: Matrix
    varies: bool
    middle: Matrix | None = None


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
        features: Matrix,
        obs: pd.DataFrame,
        *,
        label: str | None,
        nuisances: Mapping[str, str],
        level: float = 0.95,
    ) -> None:
        self.reference, self.label = reference, label
        self.space = Space.fit(features)
        self.flat = self.space.standardise(features)
        self.X = self.space.project(self.flat)
        self.groups = Groups.of(wells_of(obs) if label is None else text_values(obs[label], label))
        everyone = Groups(("all",), np.zeros(len(obs), np.int64))
        self.noise = within(self.X, self.groups if self.groups.names else everyone)
        self.pairs = self.separations()
        self.nuisances = {
            name: self._nuisance(obs, column, level) for name, column in nuisances.items()
        }
        # From here on two classes, or wells, are told: further than they lie apart by chance.
        self.least = np.zeros((0, 0))  # (K, K)
        if label is None:
            self.wells = _wells(self.X, obs, self.noise)
        else:
            self.least = np.maximum(VISIBLE, by_chance(self.X, self.groups, level=level))

    def moved(self, made: Matrix, *, turned: bool = False) -> Moved:
        """Compare cells after a case (K, N, D) with the cells as they are.

        Where views are `turned`, classes are told by what the views of a cell have in common, their mean: a
        direction and its opposite, each as likely, leave none.
        """
        shown = self.space.standardise(made)
        middle = self.space.project(shown.mean(axis=0)) if turned else None
        flat = shown - self.flat
        flat = flat - flat.mean(axis=(0, 1))
        moves = self.space.project(flat)
        count = moves.shape[0] * moves.shape[1]
        noise = np.einsum("knp,knq->pq", moves, moves) / count
        each = (moves**2).sum(axis=2).mean(axis=0)
        codes = range(len(self.groups.names))
        own = np.array([np.sqrt(each[self.groups.codes == code].mean()) for code in codes])
        varies = len(made) < 2 or not np.allclose(made[1:], made[:-1])
        distance = float(np.sqrt(np.trace(noise)))
        return Moved(noise, (flat**2).mean(axis=(0, 1)), distance, own, varies, middle)

    def spread(self) -> float:
        """Give the root mean square distance of two cells."""
        return float(np.sqrt(2 * self.X.var(axis=0).sum()))

    def relative(self, moved: Moved) -> float:
        """Give displacements in units of the distance between classes' means, or between cells."""
        if self.label is None or len(self.groups.names) < 2:
            return moved.distance / self.spread()
        apart = pdist(self.groups.means(self.X))
        return float(moved.distance / np.median(apart))

    def separations(self, moved: Moved | None = None) -> Matrix:
        """Separate every two classes, (K, K) of d'; without a label there are no pairs."""
        if self.label is None:
            return np.zeros((0, 0))
        noise = self.noise if moved is None else self.noise + moved.noise
        X = self.X if moved is None or moved.middle is None else moved.middle
        return pair_separation(X, self.groups, noise)

    def left_as_read(self, moved: Moved) -> Matrix:
        """Give the share (K, K) of d' that displacements leave to a readout that does not learn of them."""
        if not moved.varies:
            return np.ones_like(self.pairs)
        return left_to_readout(self.X, self.groups, self.noise, moved.noise)

    def shares_of_plates(self) -> dict[str, float]:
        """Give each plate's share of what wells of one plate differ by; nothing where that is chance."""
        if self.wells.apart <= APART:
            return {}
        names = dict(zip(self.wells.blocks.tolist(), self.wells.groups.names, strict=True))
        shares = self.wells.shares().tolist()
        return {names[block].rpartition("/")[0]: share for block, share in enumerate(shares)}

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
    def _classes(self) -> tuple[Matrix, Matrix]:
        """Give the classes' means (K, D), and the variance about them, of each standardised feature."""
        means = self.groups.means(self.flat)
        inside = (self.flat - means[self.groups.codes])[self.groups.codes >= 0].var(axis=0)
        return means, np.maximum(inside, 1e-6)

    def _nuisance(self, obs: pd.DataFrame, column: str, level: float) -> Spread:
        """Take out what classes differ by, so that plates of unlike treatments can be compared.

        Classes that lie on one plate alone cannot say how plates differ and are left out. Without
        classes, negative controls alone are compared, where they are marked and on several plates.
        """
        values = text_array(texts_of(obs[column]))
        rest = self.X.copy()
        if self.label is None:
            groups = Groups.of(np.where(is_negative(obs, CONTROL), values, ""))
            groups = groups if len(groups.names) > 1 else Groups.of(values)
        else:
            kept = np.zeros(len(rest), dtype=bool)
            for code in range(len(self.groups.names)):
                rows = self.groups.codes == code
                rest[rows] -= self.X[rows].mean(axis=0)
                kept |= rows & (len(set(values[rows])) > 1)
            groups = Groups.of(np.where(kept, values, ""))
        # In units of cells of one value: about the mean of all they would hold what is to be bridged, and no
        # separation of three plates could be above 1.7, however far apart they lie.
        noise = within(rest, groups) if len(groups.names) > 1 else self.noise
        return Spread(rest, groups, noise, level=level)


def _wells(X: Matrix, obs: pd.DataFrame, noise: Matrix) -> Spread:
    """Group cells by wells that are not alone on their plate; compare those of one plate.

    What wells of two plates differ by may be the plates.
    """
    wells = Groups.of(wells_of(obs))
    if PLATE not in obs:
        return Spread(X, wells, noise)
    plates = texts_of(obs[PLATE])
    names = np.array(["", *wells.names])[wells.codes + 1]  # empty for a cell of a well of one cell
    plate = plates.groupby(names).first().drop("", errors="ignore")
    plate = plate[plate.duplicated(keep=False)]
    kept = Groups.of(np.where(np.isin(names, plate.index), names, ""))
    plate = plate[list(kept.names)]  # which are in an order of their own
    blocks = np.unique(text_array(plate), return_inverse=True)[1].astype(np.int64)
    return Spread(X, kept, noise, blocks=blocks)
