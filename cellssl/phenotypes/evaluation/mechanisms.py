"""Treatments with a mechanism among the scored cells, and how well an embedding matches them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import BATCH, COMPOUND, MECHANISM, agent_column, text_array
from cellssl.phenotypes.columns import text_values, well_names
from cellssl.phenotypes.naming import name_treatments
from cellssl.scores import Matches, aggregate, batch_membership, nsc, nscb

# Metric → what a treatment and its neighbour are kept apart by.
MATCHES = {"nsc": "compounds", "nscb": "compounds and batches"}


@dataclass(frozen=True)
class Treatments:
    """T treatments (compound at a concentration) and the wells they lie in.

    Attributes
    ----------
    wells : (n,) int64
        Well of each scored cell; −1 for negative controls and cells without compound.
    treatments : (W,) int64
        Treatment of each well.
    names, compounds, mechanisms : (T,) str
    batches : (T, B) bool or None
        Batches that each treatment lies in; None where the cells name none.
    ambiguous : tuple of str
        Treatments that were left out since their cells name several mechanisms.
    """

    wells: NDArray[np.int64]
    treatments: NDArray[np.int64]
    names: NDArray[np.str_]
    compounds: NDArray[np.str_]
    mechanisms: NDArray[np.str_]
    batches: NDArray[np.bool_] | None
    ambiguous: tuple[str, ...] = ()

    def match(
        self, metric: str, X: NDArray[np.floating], *, statistic: str = "median"
    ) -> tuple[Matches | None, str]:
        """Match the treatments by the scored cells' normalised features (n, D).

        Parameters
        ----------
        metric : str
            `nsc` or `nscb`.
        statistic : str
            `median`, `mean` or `trimmed-mean`: of a well's cells, then of a treatment's wells.

        Returns
        -------
        matches : Matches or None
        note : str
            What was left out and what cannot be found, or why there are no matches.
        """
        wells = aggregate(X, self.wells, statistic=statistic)
        profiles = aggregate(wells, self.treatments, statistic=statistic)
        if metric == "nsc":
            found = nsc(profiles, self.mechanisms, self.compounds)
        elif self.batches is None:
            return None, "no column Metadata_Batch"
        else:
            found = nscb(profiles, self.mechanisms, self.compounds, self.batches)
        note = self._note(found, metric.upper())
        return (found, note) if found.n else (None, note or "no treatment to match")

    def _note(self, found: Matches, name: str) -> str:
        """Say which treatments are not scored, and which cannot be found."""
        parts = []
        if self.ambiguous:
            parts.append(f"left out, of several mechanisms: {', '.join(self.ambiguous)}")
        if found.dropped:
            parts.append(f"left out, in one batch only: {', '.join(found.dropped)}")
        if len(found.alone):
            names = ", ".join(self.names[found.alone])
            parts.append(f"left out, no other compound is in other batches: {names}")
        table = pd.Series(self.compounds).groupby(self.mechanisms).nunique()
        single = table.index[table == 1].tolist()
        if single:
            parts.append(f"cannot be found, of one compound only: {', '.join(single)}")
        return f"{name}: {'; '.join(parts)}" if parts else ""


def find_treatments(
    obs: pd.DataFrame, labels: NDArray[np.str_], label: str, controls: NDArray[np.bool_] | None
) -> Treatments | None:
    """Find the treatments among the scored cells.

    Parameters
    ----------
    obs : DataFrame (n rows)
        The scored cells.
    labels : (n,) str
        Their classes.
    label : str
        Column that these come from: only `Metadata_MOA` holds mechanisms.
    controls : (n,) bool, optional
        Negative controls, which are no treatments; without it they are taken for some.

    Returns
    -------
    Treatments or None
        None when the label is no mechanism, or fewer than two compounds are there.
    """
    if label != MECHANISM or agent_column(obs) != COMPOUND:
        return None
    names, _ = name_treatments(obs, control=None)
    compounds = text_values(obs[COMPOUND], COMPOUND)
    kept = compounds != ""
    if controls is not None:
        kept &= ~controls
    ambiguous = _ambiguous(names[kept], labels[kept])
    kept &= ~np.isin(names, ambiguous)
    if len(np.unique(compounds[kept])) < 2:
        return None
    known, first, codes = np.unique(names[kept], return_index=True, return_inverse=True)
    table = pd.DataFrame({"treatment": codes})
    where = well_names(obs)
    # Without wells each cell stands for one.
    table["well"] = np.arange(len(table)) if where is None else where[kept]
    table["batch"] = text_values(obs[BATCH], BATCH)[kept] if BATCH in obs else ""
    wells = np.full(len(obs), -1, dtype=np.int64)
    grouped = table.groupby(["treatment", "batch", "well"], sort=True)
    wells[kept] = grouped.ngroup()
    index = grouped.size().index
    treatments = index.get_level_values("treatment").to_numpy(dtype=np.int64)
    batches = text_array(index.get_level_values("batch"))
    return Treatments(
        wells=wells,
        treatments=treatments,
        names=known,
        compounds=compounds[kept][first],
        mechanisms=labels[kept][first],
        batches=batch_membership(treatments, batches) if (batches != "").any() else None,
        ambiguous=ambiguous,
    )


def _ambiguous(names: NDArray[np.str_], mechanisms: NDArray[np.str_]) -> tuple[str, ...]:
    """Name the treatments whose cells have several mechanisms."""
    counts = pd.Series(mechanisms).groupby(names).nunique()
    return tuple(str(name) for name in counts.index[counts > 1])
