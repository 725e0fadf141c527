"""What is at stake in some cells: the contrasts that must stay, and the nuisances that should go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellssl.augment import View
from cellssl.columns import bare_name
from cellssl.errors import StudyError
from cellssl.studies.audit.cases import Case
from cellssl.studies.audit.cells import Cells
from cellssl.studies.audit.references import Reference
from cellssl.studies.audit.separation import losses
from cellssl.studies.audit.spreads import APART
from cellssl.studies.audit.together import Together


@dataclass(frozen=True)
class Effect:
    """What a case does to what is at stake.

    Attributes
    ----------
    cost, mean_cost : float
        The largest share that a contrast loses, and the mean.
    contrast : str
        Which loses most.
    bridged : float
        The share of what nuisances differ by that goes, mean over these.
    """

    cost: float
    mean_cost: float
    contrast: str
    bridged: float


class Stakes:
    """Labelled cells in some reference spaces, and where their labels show little, unlabelled ones too.

    Parameters
    ----------
    sample
        The labelled cells.
    references
        The spaces, the first in charge (see `Together`).
    view
        A view of the size that training will show.
    label, nuisances
        Columns, as in `Together`.
    seed
        Of the operations' draws.

    Raises
    ------
    StudyError
        When no contrast is visible, or no nuisance has two values that differ.
    """

    def __init__(
        self,
        sample: Cells,
        references: Sequence[Reference],
        view: View,
        *,
        label: str,
        nuisances: Mapping[str, str],
        seed: int = 0,
    ) -> None:
        self.sample, self.references, self.view, self.seed = sample, references, view, seed
        self.standing = self._stand(sample, label, nuisances)
        if not len(self.standing.visible()):
            raise StudyError(
                f"no two values of {label} can be told apart in these {len(sample.obs)} cells: "
                "give more cells (--cells), other plates, or another label"
            )
        self.nuisances = [
            name for name, spread in self.standing.nuisances.items() if spread.apart > APART
        ]
        if not self.nuisances:
            raise StudyError(_nothing_to_bridge(self.standing, bare_name(label)))
        self._watched: tuple[Cells, Together] | None = None

    def _stand(self, cells: Cells, label: str | None, nuisances: Mapping[str, str]) -> Together:
        features = cells.unchanged(self.view, self.references)
        return Together(self.references, features, cells.obs, label=label, nuisances=nuisances)

    @property
    def only(self) -> str:
        """The one contrast that labels show, of two controls say; "" where there are several."""
        visible = self.standing.visible()
        return self._named(*visible[0]) if len(visible) == 1 else ""

    @property
    def contrasts(self) -> tuple[int, int]:
        """How many contrasts there are between the label's classes, and how many of them are visible."""
        classes = len(self.standing.groups.names)
        return classes * (classes - 1) // 2, len(self.standing.visible())

    @property
    def watched(self) -> bool:
        """Whether unlabelled cells have a say."""
        return self._watched is not None

    def watch(self, others: Cells) -> None:
        """Keep what wells of one plate differ by in these cells, whose labels nobody looks at.

        Other phenotypes are among them. Where their wells differ by no more than chance, they say
        nothing.
        """
        standing = self._stand(others, None, {})
        if standing.first.shares_of_plates():
            self._watched = others, standing

    def measure(self, case: Case, *, draws: int) -> Effect:
        """Apply a case to the cells, and see what it takes and bridges."""
        made = self.sample.moved(case, self.references, draws=draws, seed=self.seed)
        moved = self.standing.moved(made, turned=case.turns)
        after = self.standing.separations(moved)
        pairs, shares = losses(self.standing.pairs, after, self.standing.least)
        costs = {self._named(*two): own for two, own in zip(pairs, shares.tolist(), strict=True)}
        mean = float(shares.mean())
        if self._watched is not None:
            others, wells = self._watched
            shown = others.moved(case, self.references, draws=draws, seed=self.seed)
            taken = costs["what wells of a plate differ by"] = wells.cost(wells.moved(shown))
            mean = (mean + taken) / 2
        dearest = max(costs, key=costs.__getitem__)
        bridged = [self.standing.bridged(name, moved) for name in self.nuisances]
        return Effect(costs[dearest], mean, dearest, float(np.mean(bridged)))

    def _named(self, a: int, b: int) -> str:
        names = self.standing.groups.names
        return f"{names[a]} against {names[b]}"


def _nothing_to_bridge(standing: Together, label: str) -> str:
    """Say why no nuisance shows what operations are worth having."""
    names = " and ".join(standing.nuisances)
    if not names:
        return (
            "these cells lie on one plate, and nothing shows what should be bridged: give cells of "
            "several plates or batches, or name a column that should not matter with --nuisance"
        )
    if all(len(spread.groups.names) < 2 for spread in standing.nuisances.values()):
        return (
            f"{names}: no value of {label} lies in more than one, so that their differences cannot be "
            "told from those of classes: give plates that share classes, controls say, or name "
            "another column with --nuisance"
        )
    return (
        f"{names}: cells of one {label} do not differ by it, so that there is nothing to bridge and to "
        "choose by: take a protocol that is there, or name a column by which they do with --nuisance"
    )
