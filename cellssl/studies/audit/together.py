"""Several reference spaces as one: each contrast is spoken of where it can be told."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import text_array, texts_of
from cellssl.studies.audit.nuisances import alone, shared
from cellssl.studies.audit.references import Reference
from cellssl.studies.audit.separation import CLEAR, Matrix, put_right, share_lost, visible_pairs
from cellssl.studies.audit.standing import Moved, Standing

CHANCE = 0.05  # share of pairs of random classes that are taken for told
_HALF = 0.5  # of two classes' cells on like plates: with less, plates may tell them in part
_BETTER = 2.0  # times as far apart: two spaces differ by less than that by chance


class Together:
    """Cells in one or several reference spaces, for those who ask what an operation erases.

    Two classes are told in the first space, unless another tells them visibly, and either the first
    does not or the other twice as well: then in that one, and of them is left what either space
    leaves. A nuisance is told in the first, and where its values differ there by chance alone in the one
    that tells it best: light that falls off to one side shows in the place of what is bright. Each of
    several spaces asks more sternly, so that chance tells 5 % of classes, or nuisances, that are none in
    all of them together. Wells and how far cells move are those of the first.

    Parameters
    ----------
    references
        The spaces, the first in charge.
    features
        Name of the reference → (N, D) of the cells as they are.
    obs, label, nuisances
        As in `Standing`.
    """

    def __init__(
        self,
        references: Sequence[Reference],
        features: Mapping[str, Matrix],
        obs: pd.DataFrame,
        *,
        label: str | None,
        nuisances: Mapping[str, str],
    ) -> None:
        self.name = "+".join(one.name for one in references)
        self.label = label
        level = 1 - CHANCE / len(references)
        self.standings = [
            Standing(one, features[one.name], obs, label=label, nuisances=nuisances, level=level)
            for one in references
        ]
        self.first = self.standings[0]
        self.groups = self.first.groups
        every = np.stack([one.pairs for one in self.standings])  # (R, K, K)
        least = np.stack([one.least for one in self.standings])
        best = np.where(every >= least, every, 0.0).argmax(axis=0)
        enough = np.where(every[0] < least[0], 0.0, _BETTER * every[0])
        better = _chosen(every, best) >= np.maximum(_chosen(least, best), enough)
        self.speaker = np.where(better, best, 0)  # (K, K): who tells a pair
        self.pairs = _chosen(every, self.speaker)
        self.least = _chosen(least, self.speaker)
        self._asked: dict[str, int] = {}  # nuisance → which space tells it
        self._shared: dict[str, Matrix] = {}  # nuisance → (K, K)
        self.alone = dict.fromkeys(nuisances, 0)  # nuisance → classes that lie on one value alone
        for name, column in nuisances.items():
            apart = [one.nuisances[name].apart for one in self.standings]
            self._asked[name] = 0 if apart[0] else int(np.argmax(apart))
            if label is not None:
                values = text_array(texts_of(obs[column]))
                self._shared[name] = shared(self.groups, values)
                self.alone[name] = alone(self.groups, values)
        self.nuisances = {n: self.standings[at].nuisances[n] for n, at in self._asked.items()}

    def moved(self, made: Mapping[str, Matrix], *, turned: bool = False) -> list[Moved]:
        """Compare cells after a case (reference → (K, N, D)) with the cells as they are; `turned` as in `Standing`."""
        names = [one.reference.name for one in self.standings]
        return [
            one.moved(made[name], turned=turned and name == "arrangement")
            for one, name in zip(self.standings, names, strict=True)
        ]

    def separations(self, moved: Sequence[Moved]) -> Matrix:
        """Separate every two classes after displacements, (K, K) of d'."""
        after = [one.separations(by) for one, by in zip(self.standings, moved, strict=True)]
        return np.asarray(np.maximum(_chosen(np.stack(after), self.speaker), after[0]))

    def visible(self) -> NDArray[np.int64]:
        """List the pairs that can be told apart at all: (M, 2)."""
        return visible_pairs(self.pairs, self.least)

    def unseen(self) -> list[tuple[str, str, float]]:
        """List the pairs that cannot be told apart in any of the spaces, with their d'."""
        names = self.groups.names
        hidden = np.argwhere(np.triu(self.pairs < self.least, 1))
        return [(names[a], names[b], float(self.pairs[a, b])) for a, b in hidden.tolist()]

    def told_by(self, a: int, b: int) -> list[str]:
        """Name the nuisances of which two classes share no value: one of them may be what tells them."""
        return [name for name, share in self._shared.items() if share[a, b] == 0]

    def told_in_part(self, a: int, b: int) -> list[str]:
        """Name the nuisances of which they share values, but most cells of one where the other has few or none."""
        return [name for name, share in self._shared.items() if 0 < share[a, b] < _HALF]

    def accuracy(self, moved: Sequence[Moved] | None = None) -> float:
        """Estimate how often a cell is put right between two classes, mean over all pairs."""
        return put_right(self.pairs if moved is None else self.separations(moved))

    def cost(self, moved: Sequence[Moved]) -> float:
        """Give the share of contrast that is lost: of the visible pairs, or between wells."""
        if self.label is None:
            return self.first.wells.lost(moved[0].noise, most=CLEAR)
        return share_lost(self.pairs, self.separations(moved), self.least)

    def cost_as_read(self, moved: Sequence[Moved]) -> float:
        """Give the share lost by what tells visible pairs as cells are; NaN without a label.

        Not less than `cost`, which is lost even where the encoder learns to compare what the operation
        changes with what it changes alike.
        """
        if self.label is None:
            return float("nan")
        left = [one.left_as_read(by) for one, by in zip(self.standings, moved, strict=True)]
        after = np.minimum(
            self.pairs * _chosen(np.stack(left), self.speaker), self.separations(moved)
        )
        return share_lost(self.pairs, after, self.least)

    def bridged(self, name: str, moved: Sequence[Moved]) -> float:
        """Give the share of what a nuisance's values differ by that is lost; NaN where that is chance."""
        return self.nuisances[name].lost(moved[self._asked[name]].noise)

    def erased(self, moved: Sequence[Moved]) -> dict[str, float]:
        """Give each feature's share of variance between views that is the operation's.

        Of the first space, and of those in which a contrast is told.
        """
        used = {0, *self.speaker.flat}
        shares: dict[str, float] = {}
        for number, (one, by) in enumerate(zip(self.standings, moved, strict=True)):
            if number in used:
                shares |= one.erased(by)
        return shares

    def carrier(self, a: int, b: int, moved: Sequence[Moved]) -> str:
        """Name the feature by whose loss two classes lose most of what tells them; "" if nameless."""
        number = int(self.speaker[a, b])
        features = self.standings[number].reference.features
        if not features:
            return ""
        return features[self.standings[number].carrier(a, b, moved[number])]


def _chosen(values: Matrix, which: NDArray[np.int64]) -> Matrix:
    """Take of (R, K, K) values those of one space for each pair: (K, K)."""
    return np.asarray(np.take_along_axis(values, which[None], axis=0)[0])
