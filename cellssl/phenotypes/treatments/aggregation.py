"""Profiles of fields, wells and treatments, each with the counts of what stands behind it."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cellssl.columns import CONTROL, FIELD, OF_CELLS, SITE, WELL, row_names
from cellssl.errors import EmbeddingError
from cellssl.files import check_file, make_folder, write_h5ad
from cellssl.phenotypes.columns import cell_counts, require_column, text_values
from cellssl.phenotypes.controls import control_column
from cellssl.phenotypes.embeddings.exporting import export_embedding
from cellssl.phenotypes.embeddings.matching import check_features, features
from cellssl.phenotypes.embeddings.reading import read_embedding
from cellssl.phenotypes.naming import name_treatments
from cellssl.scores import aggregate as sum_up

_LOG = logging.getLogger(__name__)

LEVELS = ("field", "well", "treatment")

# How much of a place each level keeps.
DEPTH = {"field": 3, "well": 2, "treatment": 0}
COUNTS = ("Metadata_Cells", "Metadata_Fields", "Metadata_Wells", "Metadata_Plates")

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".h5ad")


def aggregate_profiles(
    adata: ad.AnnData | str | Path,
    level: str = "well",
    *,
    out: str | Path | None = None,
    aggregate: str = "median",
    through_fields: bool = False,
    by: str | Sequence[str] | None = None,
    control: str | None = CONTROL,
) -> ad.AnnData:
    """Aggregate cells to fields, to wells, or by wells to treatments.

    Parameters
    ----------
    adata : AnnData or path
        As `read_embedding` reads it: X (N, D) of cells, or profiles of a lower level whose
        `Metadata_Cells` count their cells.
    level : str
        `field`, `well` or `treatment`.
    out : path, optional
        The file to write: `.h5ad`, or a table (`.parquet`, `.csv`, `.csv.gz`) as `export_embedding`
        writes it.
    aggregate : str
        `median`, `mean` or `trimmed-mean` at every step, see `cellssl.scores.aggregate`.
    through_fields : bool
        Wells are made of fields, each counting alike, instead of cells: one field that is crowded
        or out of focus then weighs no more than another, a field of one cell no less.
    by : str or sequence of str
        Columns that name a treatment; wells when no compound is named.
    control : str, optional
        Column that says `negative` for the negative control.

    Returns
    -------
    AnnData
        X (G, D) float32. `obs`: the columns that all rows of a group agree on, and
        `Metadata_Cells`, for wells `Metadata_Fields`, for treatments `Metadata_Wells` and
        `Metadata_Plates` too, as far as the cells say. Cells without treatment are left out of
        treatments and counted.

    Raises
    ------
    EmbeddingError
        When level, statistic or the file's ending is unknown, or a column is missing.

    Examples
    --------
    >>> aggregate_profiles("results/map.h5ad", "treatment").to_df()  # doctest: +SKIP
    """
    if out is not None:
        check_file(out)
        if not Path(out).name.lower().endswith(SUFFIXES):
            raise EmbeddingError(
                f"cannot write {Path(out).name}: wanted a name ending in {', '.join(SUFFIXES)}."
            )
    adata = read_embedding(adata)
    check_features(adata)
    if level not in LEVELS:
        raise EmbeddingError(f"unknown level {level!r}: wanted {', '.join(LEVELS)}.")
    X, keys, codes = features(adata), *_keys(adata.obs, level, by, control)
    values: NDArray[np.floating] = X[codes]
    table = keys
    for step in _steps(keys, level, through_fields=through_fields):
        grouped = table.groupby(step, sort=True)
        values = sum_up(values, grouped.ngroup(), statistic=aggregate)
        table = grouped.first().reset_index()
    groups = np.asarray(keys.groupby(step, sort=True).ngroup(), dtype=np.int64)
    obs = _describe(adata.obs.iloc[codes], keys, groups, level)
    obs.index = pd.Index(row_names(table[step]))
    result = ad.AnnData(values.astype(np.float32), obs=obs)
    result.var_names = adata.var_names
    made = {"level": level, "aggregate": aggregate, "through_fields": through_fields}
    result.uns["cellssl"] = {**deepcopy(adata.uns.get("cellssl", {})), **made}
    if out is not None and Path(out).suffix.lower() == ".h5ad":
        make_folder(Path(out).absolute().parent)
        write_h5ad(result, Path(out))
    elif out is not None:
        export_embedding(result, out)
    return result


def _keys(
    obs: pd.DataFrame, level: str, by: str | Sequence[str] | None, control: str | None
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Say where each row lies, and its treatment where that is the level; which rows are taken."""
    for name in FIELD[1 : DEPTH[level]]:
        require_column(obs, name, purpose=f"a {level}")
    keys = pd.DataFrame(
        {name: text_values(obs[name], name) for name in FIELD if name in obs.columns},
        index=range(len(obs)),
    )
    rows = np.arange(len(obs))
    if level == "treatment":
        control = control_column(obs, control)
        keys["treatment"], _ = name_treatments(obs, by, control=control)
        rows = np.flatnonzero(keys["treatment"] != "")
        if len(rows) < len(obs):
            _LOG.warning("%d rows without treatment are left out.", len(obs) - len(rows))
        if not len(rows):
            raise EmbeddingError("no row has a treatment: fill the column that names it.")
    return keys.iloc[rows].reset_index(drop=True), rows


def _steps(keys: pd.DataFrame, level: str, *, through_fields: bool) -> list[list[str]]:
    """Name the columns that each step groups by, from fields up."""
    if through_fields and SITE not in keys:
        raise EmbeddingError(
            "no column Metadata_Site: without it there are no fields to go through."
        )
    own = ["treatment"] if level == "treatment" else []
    place = [name for name in FIELD if name in keys]
    well = [name for name in place if name != SITE]
    steps = [own + place] if level == "field" or through_fields else []
    if level != "field" and WELL in keys:
        steps.append(own + well)
    return [*steps, own] if own else steps


def _describe(
    obs: pd.DataFrame, keys: pd.DataFrame, groups: NDArray[np.int64], level: str
) -> pd.DataFrame:
    """Carry over what all rows of a group agree on, and count what stands behind it."""
    left_out = {*FIELD[DEPTH[level] :], *OF_CELLS, *COUNTS}
    firsts = np.unique(groups, return_index=True)[1]
    table = {}
    for name in obs.columns.drop(list(left_out), errors="ignore"):
        codes = pd.Series(pd.factorize(obs[name], use_na_sentinel=False)[0]).groupby(groups)
        single = (codes.min() == codes.max()).to_numpy()
        if single.any():
            table[name] = obs[name].iloc[firsts].reset_index(drop=True).where(single)
    made = pd.DataFrame(table, index=range(groups.max() + 1))
    made["Metadata_Cells"] = np.bincount(groups, cell_counts(obs)).astype(np.int64)
    for depth, name in zip((3, 2, 1), COUNTS[1:], strict=True):
        place = FIELD[:depth]
        if depth > DEPTH[level] and place[-1] in keys:
            known = pd.Series(row_names(keys[[one for one in place if one in keys]]))
            made[name] = known.groupby(groups).nunique()
    return made
