"""Which treatments look alike, and how far each is from the negative control."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.arguments import whole_numbers
from cellssl.columns import CONTROL, GENE, GUIDE, MECHANISM, TREATMENTS, text_array, texts_of
from cellssl.errors import EmbeddingError
from cellssl.files import make_folder, write_csv
from cellssl.phenotypes.columns import say_empty_names, text_values
from cellssl.phenotypes.controls import control_column
from cellssl.phenotypes.embeddings.reading import read_embedding
from cellssl.phenotypes.labels import require_label
from cellssl.phenotypes.naming import name_treatments
from cellssl.phenotypes.treatments.activity import (
    activity_by_length,
    activity_by_rank,
    consistency,
    replicates,
)
from cellssl.phenotypes.treatments.copairs_scores import copairs_activity, copairs_consistency
from cellssl.phenotypes.treatments.neighbours import cosine, rank_neighbours
from cellssl.phenotypes.treatments.profiles import WellProfiles, well_profiles
from cellssl.scores import aggregate as sum_up
from cellssl.words import counted, natural_key

AGENTS = tuple(agent for agent, _ in TREATMENTS)


@dataclass(frozen=True)
class Similarity:
    """Treatments compared with each other and with the negative control.

    Attributes
    ----------
    replicates : DataFrame, index treatment
        To be looked at first: wells, correlation, limit, p_value, replicates, across_plates. A
        treatment whose own wells are no more alike than random ones has no profile to compare.
    treatments : DataFrame, index treatment
        The columns of `by`, cells, wells, plates, control ("negative" or ""), label (where all
        cells that have one agree on it), activity, p_value, map, map_by_chance, map_p_value and map_q_value.
        *Activity* is the length of the profile divided by the root-mean-square length of single
        control wells: 1 is what a control well shows. *p_value*: share of equally many control
        wells, drawn at random, whose profile is as long; NaN where control wells are so few that it could
        not fall to 0.05 (six are enough for treatments of three wells, 19 for those of one).
        Not corrected for the number of treatments. *map*: do its wells find each other before the
        control wells of their plates, see `activity_precision`; *map_q_value* is corrected.
    matrix : DataFrame (T, T)
        Cosine of the treatments' profiles. A profile near 0 (see activity) has no direction.
    neighbours : DataFrame
        treatment, rank (1 is nearest), neighbour, similarity, low, high, nearest_share, same_label
        (missing when a label is). The negative control is no neighbour and has none.
    consistency : DataFrame, index label
        treatments, agents (compounds or genes), map, map_by_chance, map_p_value, map_q_value: do
        treatments of a label find that label's other agents first. Where the label is the compound or gene
        itself, each treatment, a guide say, counts as one.
    profiles : DataFrame (T, D)
        Middle of a treatment's wells, in units of the control wells' spread.
    centred : str
        What profiles are measured from.
    label : str or None
        The column that labels come from.
    """

    replicates: pd.DataFrame
    treatments: pd.DataFrame
    matrix: pd.DataFrame
    neighbours: pd.DataFrame
    consistency: pd.DataFrame
    profiles: pd.DataFrame
    centred: str
    label: str | None = None

    @property
    def treated(self) -> pd.DataFrame:
        """Those of `treatments` that are no negative control."""
        return self.treatments[(self.treatments["control"] != "negative").to_numpy(bool)]

    def __repr__(self) -> str:
        treatments, wells = len(self.treatments), int(self.treatments["wells"].sum())
        return (
            f"Similarity({counted(treatments, 'treatment')} of {counted(wells, 'well')}, measured from "
            f"{self.centred})"
        )

    def save(self, folder: str | Path) -> Path:
        """Write each table as CSV: replicates, treatments, similarity, neighbours, …."""
        folder = make_folder(folder)
        for name in ("replicates", "treatments", "matrix", "profiles", "consistency"):
            table = getattr(self, name).reset_index(allow_duplicates=True)
            write_csv(table, folder / f"{'similarity' if name == 'matrix' else name}.csv")
        write_csv(self.neighbours, folder / "neighbours.csv")
        return folder


@whole_numbers(error=EmbeddingError, nearest=1, draws=0, seed=0)
def similarity(
    adata: ad.AnnData | str | Path,
    *,
    by: str | Sequence[str] | None = None,
    control: str | None = CONTROL,
    label: str | None = "auto",
    normalise: str = "auto",
    aggregate: str = "median",
    nearest: int = 10,
    draws: int = 400,
    copairs: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Similarity:
    """Compare treatments: cells → wells → normalised per plate → treatments.

    Parameters
    ----------
    adata : AnnData or path
        As `read_embedding` reads it: X (N, D) of cells, or profiles of wells.
    by : str or sequence of str, optional
        Columns whose values together name a treatment. When left out: compound and concentration, else
        gene and guide; of cells that name neither every well is its own treatment.
    control : str, optional
        Column that says `negative` for the negative control; where such cells name no treatment
        they are called "negative control".
    label : str, optional
        Column with the expected class, with or without ``Metadata_``: for reading, and for `consistency`;
        profiles and neighbours never see it. `auto`: MOA, else the gene where its guides are the treatments.
    normalise : str
        `controls` (negative-control wells per plate), `plate` (all wells), `none`, or `auto`:
        controls where there are any.
    aggregate : str
        `median`, `mean` or `trimmed-mean`, of a well's cells and of a treatment's wells.
    nearest : int
        Neighbours listed for each treatment.
    draws : int
        Draws of wells for the neighbours' intervals.
    seed : int
        Of the draws.
    copairs : bool
        Add `copairs_map`, `copairs_p_value` and `copairs_q_value` to treatments and consistency,
        see `copairs_activity` (``pip install 'cellssl[copairs]'``).
    progress : bool
        Show a progress bar.

    Returns
    -------
    Similarity
        Of which :func:`cellssl.report.similarity_heatmap`, `activity_figure` and `replicate_figure` make figures.

    Raises
    ------
    EmbeddingError
        When a column does not exist, or fewer than two treatments are left.
    """
    adata = read_embedding(adata)
    control = control_column(adata.obs, control)
    names, columns = name_treatments(adata.obs, by, control=control)
    if label == "auto":
        label = _usual_label(adata.obs, columns)
    elif label is not None:
        label = require_label(adata.obs, label)
    for name in adata.obs.columns.intersection([columns[0], label]):
        say_empty_names(text_array(texts_of(adata.obs[name])), name)
    wells = well_profiles(adata, names, control=control, normalise=normalise, statistic=aggregate)
    order = _order_treatments(wells.wells)
    if len(order) < 2:
        raise EmbeddingError(
            f"{', '.join(columns)} name{'s' * (len(columns) == 1)} one treatment only, {order[0]!r}: nothing to "
            "compare."
        )
    index = pd.Index(order, name="treatment")
    middle = sum_up(
        wells.profiles, index.get_indexer(pd.Index(wells.wells["treatment"])), statistic=aggregate
    )
    profiles = pd.DataFrame(middle, index=index, columns=adata.var_names)
    table = _describe(adata.obs, names, wells, index, columns=columns, label=label)
    table["activity"], table["p_value"] = activity_by_length(
        middle, table["wells"], wells, statistic=aggregate, seed=seed, progress=progress
    )
    table = table.join(activity_by_rank(wells, index, seed=seed, progress=progress))
    matrix = pd.DataFrame(cosine(middle), index=index, columns=order)
    compounds = pd.Series(order, index=index)
    if columns[0] in AGENTS and columns[0] != label:
        compounds = texts_of(table[columns[0]])
    labels = consistency(profiles, table, compounds, seed=seed, progress=progress)
    if copairs:
        table = table.join(copairs_activity(wells, seed=seed))
        named = (table["control"] == "") & (table["label"] != "")
        labels = labels.join(
            copairs_consistency(
                profiles[named], table.loc[named, "label"], compounds[named], seed=seed
            )
        )
    return Similarity(
        replicates=replicates(wells, index, seed=seed, progress=progress),
        treatments=table,
        matrix=matrix,
        neighbours=rank_neighbours(
            matrix,
            table,
            wells,
            nearest=nearest,
            statistic=aggregate,
            draws=draws,
            seed=seed,
            progress=progress,
        ),
        consistency=labels,
        profiles=profiles,
        centred=wells.centred,
        label=label,
    )


def _usual_label(obs: pd.DataFrame, columns: Sequence[str]) -> str:
    """Take mechanisms, else genes where several guides of each are told apart."""
    known = MECHANISM in obs and (text_values(obs[MECHANISM], MECHANISM) != "").any()
    return GENE if list(columns) == [GENE, GUIDE] and not known else MECHANISM


def _order_treatments(wells: pd.DataFrame) -> list[str]:
    """Order the treatments: negative controls first, the others by name, each from dose to dose."""
    negative = wells.groupby("treatment")["control"].any()
    return sorted(negative.index, key=lambda name: (not negative[name], natural_key(name)))


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
    counts = wells.wells.groupby("treatment").agg(
        cells=("cells", "sum"),
        wells=("cells", "size"),
        plates=("plate", "nunique"),
        control=("control", "any"),
    )
    firsts = obs[columns].groupby(names, observed=True).first()
    table = firsts.reindex(index).assign(**counts)
    table["control"] = np.where(table["control"], "negative", "")
    table["label"] = ""
    if label is not None and label in obs.columns:
        labels = pd.Series(text_values(obs[label], label))
        known = labels[labels != ""].groupby(names[labels != ""]).agg(["first", "nunique"])
        single = known["first"].where(known["nunique"] == 1, "")
        table["label"] = single.reindex(index, fill_value="")
    return table
