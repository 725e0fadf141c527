"""Which treatments look alike, and how far each is from the negative control."""

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.errors import EmbeddingError
from cellssl.files import atomic, make_folder
from cellssl.phenotypes.columns import text_values
from cellssl.phenotypes.naming import TREATMENT, name_treatments
from cellssl.phenotypes.profiles import WellProfiles, well_profiles

__all__ = ["Similarity", "similarity"]

# Control wells needed before an activity can be called unusual, and draws of them.
FEWEST_CONTROLS = 4
DRAWS = 1000


@dataclass(frozen=True)
class Similarity:
    """Treatments compared with each other and with the negative control.

    Attributes
    ----------
    treatments : DataFrame, index treatment
        The columns of `by`, cells, wells, plates, control ("negative" or ""), label (where all
        cells agree on one), activity and p_value. *Activity* is the length of the profile divided
        by the root-mean-square length of single control wells: 1 is what a control well shows.
        *p_value*: share of equally many control wells, drawn at random, whose profile is as long;
        NaN with fewer than four control wells. Not corrected for the number of treatments.
    matrix : DataFrame (T, T)
        Cosine of the treatments' profiles. A profile near 0 (see activity) has no direction.
    neighbours : DataFrame
        treatment, rank (1 is nearest), neighbour, similarity, same_label (missing when a label
        is). The negative control is no neighbour and has none.
    profiles : DataFrame (T, D)
        Median over a treatment's wells, in units of the control wells' spread.
    centred : str
        What profiles are measured from.
    """

    treatments: pd.DataFrame
    matrix: pd.DataFrame
    neighbours: pd.DataFrame
    profiles: pd.DataFrame
    centred: str

    def save(self, folder: str | Path) -> Path:
        """Write treatments.csv, similarity.csv, neighbours.csv and profiles.csv."""
        folder = make_folder(folder)
        tables = {
            "treatments": self.treatments,
            "similarity": self.matrix,
            "profiles": self.profiles,
        }
        for name, table in tables.items():
            with atomic(folder / f"{name}.csv") as part:
                table.to_csv(part, index_label="treatment")
        with atomic(folder / "neighbours.csv") as part:
            self.neighbours.to_csv(part, index=False)
        return folder


def similarity(
    adata: ad.AnnData,
    *,
    by: str | Sequence[str] = TREATMENT,
    control: str | None = "Metadata_Control",
    label: str | None = "Metadata_MOA",
    normalise: str = "auto",
    nearest: int = 10,
    seed: int = 0,
) -> Similarity:
    """Compare treatments: cells → median per well → normalised per plate → median per treatment.

    Parameters
    ----------
    adata : AnnData
        X (N, D).
    by : str or sequence of str
        Columns whose values together name a treatment. When the cells name no compound and `by` is
        left as it is, every well is its own treatment.
    control : str, optional
        Column that says `negative` for the negative control; where such cells name no treatment
        they are called "negative control".
    label : str, optional
        Column with the expected class, for reading only; it is not used.
    normalise : str
        `controls` (negative-control wells per plate), `plate` (all wells), `none`, or `auto`:
        controls where there are any.
    nearest : int
        Neighbours listed for each treatment.

    Returns
    -------
    Similarity

    Raises
    ------
    EmbeddingError
        When a column does not exist, or fewer than two treatments are left.
    """
    names, columns = name_treatments(adata.obs, by, control=control)
    wells = well_profiles(adata, names, control=control, normalise=normalise)
    order = _treatments(wells.wells)
    if len(order) < 2:
        raise EmbeddingError(
            f"{', '.join(columns)} name one treatment only, {order[0]!r}: nothing to compare."
        )
    groups = wells.wells.groupby("treatment").indices
    values = np.stack([np.median(wells.profiles[groups[name]], axis=0) for name in order])
    index = pd.Index(order, name="treatment")
    profiles = pd.DataFrame(values, index=index, columns=adata.var_names)
    table = _describe(adata.obs, names, wells, index, columns=columns, label=label)
    table["activity"], table["p_value"] = _activity(values, table["wells"], wells, seed=seed)
    matrix = pd.DataFrame(_cosine(values), index=index, columns=order)
    return Similarity(table, matrix, _neighbours(matrix, table, nearest), profiles, wells.centred)


def _treatments(wells: pd.DataFrame) -> list[str]:
    """Order the treatments: negative controls first, the others by name, 2 before 10."""
    negative = wells.groupby("treatment")["control"].any()
    return sorted(negative.index, key=lambda name: (not negative[name], _natural(name)))


def _natural(name: str) -> list[tuple[int, str]]:
    """Split a name so that its whole numbers are ordered by value."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _describe(
    obs: pd.DataFrame,
    names: NDArray[np.str_],
    wells: WellProfiles,
    index: pd.Index,
    *,
    columns: list[str],
    label: str | None,
) -> pd.DataFrame:
    """Count what stands behind each treatment and carry over its names and label."""
    grouped = wells.wells.groupby("treatment")
    table = pd.DataFrame(index=index)
    firsts = obs[columns].groupby(names, observed=True).first()
    for name in columns:
        table[name] = firsts[name].reindex(index)
    table["cells"] = grouped["cells"].sum().reindex(index)
    table["wells"] = grouped.size().reindex(index)
    table["plates"] = grouped["plate"].nunique().reindex(index)
    table["control"] = np.where(grouped["control"].any().reindex(index), "negative", "")
    table["label"] = ""
    if label is not None and label in obs.columns:
        labels = pd.Series(text_values(obs[label], label)).groupby(names)
        single = labels.agg(lambda values: _common(set(values)))
        table["label"] = single.reindex(index)
    return table


def _common(values: set[str]) -> str:
    return values.pop() if len(values) == 1 else ""


def _activity(
    values: NDArray[np.float64], counts: pd.Series, wells: WellProfiles, *, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Length of each profile (T, D) in units of a control well's, and how unusual it is."""
    lengths = np.linalg.norm(values, axis=1)
    null = wells.null
    if len(null) < 2:
        return np.full(len(values), np.nan), np.full(len(values), np.nan)
    activity = lengths / np.sqrt((null**2).sum(axis=1).mean())
    if len(null) < FEWEST_CONTROLS:
        return activity, np.full(len(values), np.nan)
    generator = np.random.default_rng(seed)
    drawn = {int(k): _null_lengths(null, int(k), generator) for k in np.unique(counts)}
    p_values = [
        (1 + (drawn[int(k)] >= length).sum()) / (1 + len(drawn[int(k)]))
        for length, k in zip(lengths, counts, strict=True)
    ]
    return activity, np.array(p_values)


def _null_lengths(
    null: NDArray[np.float64], wells: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Lengths of the median of so many control wells: every choice, or a thousand drawn."""
    count = len(null)
    # More than half of the control wells would mostly be the same wells again.
    wells = min(wells, max(1, count // 2))
    if math.comb(count, wells) <= DRAWS:
        choices = np.array(list(itertools.combinations(range(count), wells)))
    else:
        choices = np.array([generator.choice(count, wells, replace=False) for _ in range(DRAWS)])
    return np.array([np.linalg.norm(np.median(null[choice], axis=0)) for choice in choices])


def _cosine(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of every two profiles; a profile of length 0 is like nothing but itself."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    unit = values / np.where(lengths > 0, lengths, 1)
    cosine = np.clip(unit @ unit.T, -1, 1)
    np.fill_diagonal(cosine, 1)
    return cosine


def _neighbours(matrix: pd.DataFrame, table: pd.DataFrame, nearest: int) -> pd.DataFrame:
    """Rank the neighbours of each treatment that is no negative control."""
    treated = table.index[table["control"] == ""].to_numpy()
    cosine, labels = matrix.loc[treated, treated].to_numpy(), table.loc[treated, "label"].to_numpy()
    rows: list[tuple[str, int, str, float, object]] = []
    for i, name in enumerate(treated):
        order = [j for j in np.argsort(-cosine[i], kind="stable") if j != i][:nearest]
        for rank, j in enumerate(order, start=1):
            known = labels[i] != "" and labels[j] != ""
            same = labels[i] == labels[j] if known else pd.NA
            rows.append((name, rank, treated[j], cosine[i, j], same))
    columns = ["treatment", "rank", "neighbour", "similarity", "same_label"]
    return pd.DataFrame(rows, columns=columns).astype({"same_label": "boolean"})
