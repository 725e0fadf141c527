"""Embeddings as files and in memory: read, checked, and matched cell by cell."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from cellssl.errors import EmbeddingError

__all__ = ["Embedding", "column", "load_embeddings", "match_cells", "read_embedding"]

log = logging.getLogger(__name__)

# Rows that are looked at at a time.
BLOCK = 65_536

# What may name the cells of a table, besides plate, well, site and label together.
NAMES = ("obs_names", "obs_name", "cell_id", "index", "Unnamed: 0")
# What cellssl itself writes about cells: never features.
OWN_COLUMNS = ("leiden", "kmeans")
OWN_PREFIXES = ("Metadata_", "Quality_", "Area_")
IDENTITY = ("Metadata_Plate", "Metadata_Well", "Metadata_Site", "Metadata_Label")


@dataclass(frozen=True)
class Embedding:
    """One embedding and who it is.

    Attributes
    ----------
    name : str
        Name in tables; embeddings that share it are repetitions of one training.
    seed : str
        Seed of the training.
    weak : bool
        Trained with other cells of a well or treatment as positives; `cellssl embed` decides it.
    cells : AnnData
        X (N, D) float32.
    """

    name: str
    seed: str
    weak: bool
    cells: ad.AnnData


def read_embedding(path: str | Path) -> ad.AnnData:
    """Read an embedding: AnnData (.h5ad, .zarr), CSV (.csv, .csv.gz) or Parquet (.parquet).

    Parameters
    ----------
    path : path
        In a table, columns `Metadata_*`, `Quality_*`, `Area_*`, `leiden`, `kmeans` and columns of
        text or truth values describe the cells; every other column of numbers is a feature. Cells
        are named by a column `cell_id`, `obs_names` or an unnamed first one; else by plate, well,
        site and label.

    Returns
    -------
    AnnData
        X (N, D) float32; `uns["cellssl"]["name"]` is the file's stem when it has none.

    Raises
    ------
    EmbeddingError
        When the file is missing, of another kind, broken, or holds no features.
    """
    path = Path(path)
    if not path.exists():
        raise EmbeddingError(f"{path} does not exist: make it with `cellssl embed`.")
    kind = path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1]
    if kind in ("h5ad", "zarr"):
        cells = _read_anndata(path, kind)
    elif kind in ("csv", "parquet"):
        cells = _from_table(_read_table(path, kind), path)
    else:
        raise EmbeddingError(
            f"{path.name} is no embedding: wanted .h5ad, .zarr, .csv, .csv.gz or .parquet."
        )
    stem = path.parent.name if path.stem == "embedding" else path.name.split(".")[0]
    provenance = dict(cells.uns.get("cellssl", {}))
    provenance.setdefault("name", stem)
    cells.uns["cellssl"] = provenance
    return cells


def _read_anndata(path: Path, kind: str) -> ad.AnnData:
    """Read an AnnData; a crop file is refused before its pixels are read."""
    try:
        if kind == "zarr":
            return ad.read_zarr(path)
        with h5py.File(path) as file:
            X = file.get("X")
            if isinstance(X, h5py.Dataset) and X.ndim == 2 and X.shape[1] == 0:
                raise EmbeddingError(_no_features(str(path)))
        return ad.read_h5ad(path)
    except EmbeddingError:
        raise
    except (OSError, KeyError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmbeddingError(f"{path} cannot be read as AnnData: {reason}") from error


def _read_table(path: Path, kind: str) -> pd.DataFrame:
    """Read a CSV or Parquet table."""
    try:
        if kind == "parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmbeddingError(f"{path} cannot be read as a table: {reason}") from error


def _from_table(table: pd.DataFrame, path: Path) -> ad.AnnData:
    """Part a table into what describes cells and what is a feature."""
    if table.columns.duplicated().any():
        twice = table.columns[table.columns.duplicated()][0]
        raise EmbeddingError(f"{path}: the column {twice!r} occurs twice.")
    names = _cell_names(table)
    features = [
        name
        for name in table.columns
        if pd.api.types.is_numeric_dtype(table[name])
        and not pd.api.types.is_bool_dtype(table[name])
        and not str(name).startswith(OWN_PREFIXES)
        and name not in (*NAMES, *OWN_COLUMNS)
    ]
    obs = table.drop(columns=features).drop(columns=[n for n in NAMES if n in table.columns])
    if not features:
        raise EmbeddingError(_no_features(str(path)))
    obs.index = names
    cells = ad.AnnData(table[features].to_numpy(dtype=np.float32), obs=obs)
    cells.var_names = [str(name) for name in features]
    return cells


def _cell_names(table: pd.DataFrame) -> pd.Index:
    """Name the cells so that they can be matched with another table's."""
    for name in NAMES:
        if name in table.columns and table[name].is_unique:
            return pd.Index(table[name].astype(str).to_numpy())
    if not isinstance(table.index, pd.RangeIndex) and table.index.is_unique:
        return pd.Index(table.index.astype(str).to_numpy())
    if all(name in table.columns for name in IDENTITY):
        joined = table[list(IDENTITY)].astype(str).agg("/".join, axis=1)
        if joined.is_unique:
            return pd.Index(joined.to_numpy())
    return pd.Index([str(number) for number in range(len(table))])


def _no_features(name: str) -> str:
    return (
        f"{name} holds no features (X has no columns). "
        "If it is a file of crops, embed them first: `cellssl embed`."
    )


def load_embeddings(
    embeddings: "Sequence[ad.AnnData | str | Path] | Mapping[str, ad.AnnData | str | Path]",
) -> list[Embedding]:
    """Read and check embeddings; those that share a name must differ in their training seed.

    Parameters
    ----------
    embeddings : sequence or mapping
        AnnData or files. A mapping's keys are the names; else `uns["cellssl"]["name"]` is.
    """
    if isinstance(embeddings, Mapping):
        pairs: list[tuple[str | None, ad.AnnData | str | Path]] = list(embeddings.items())
    elif isinstance(embeddings, ad.AnnData | str | Path):
        pairs = [(None, embeddings)]
    else:
        pairs = [(None, item) for item in embeddings]
    if not pairs:
        raise EmbeddingError("no embedding was given: name at least one file.")
    loaded = [_load(name, item, place) for place, (name, item) in enumerate(pairs, start=1)]
    seen: set[tuple[str, str]] = set()
    for one in loaded:
        if (one.name, one.seed) in seen:
            seed = f"seed {one.seed}" if one.seed else "no seed"
            raise EmbeddingError(
                f"two embeddings are called {one.name!r} with {seed}: give each its own name, "
                'or its training\'s seed in uns["cellssl"]["seed"] when they are repetitions.'
            )
        seen.add((one.name, one.seed))
    return loaded


def _load(name: str | None, item: "ad.AnnData | str | Path", place: int) -> Embedding:
    """Read one embedding where it is a file, and check it."""
    cells = item if isinstance(item, ad.AnnData) else read_embedding(item)
    provenance = cells.uns.get("cellssl", {})
    name = str(name or provenance.get("name") or f"embedding {place}")
    check_features(cells, name)
    seed = provenance.get("seed")
    return Embedding(
        name, "" if seed is None else str(seed), bool(provenance.get("weak", False)), cells
    )


def check_features(cells: ad.AnnData, name: str) -> None:
    """Raise an EmbeddingError unless the features can be scored.

    They must exist, be finite, and belong to cells with unique names.
    """
    if cells.X is None or cells.n_vars == 0:
        raise EmbeddingError(_no_features(name))
    if cells.n_obs == 0:
        raise EmbeddingError(f"{name} holds no cells.")
    if not cells.obs_names.is_unique:
        twice = cells.obs_names[cells.obs_names.duplicated()][0]
        raise EmbeddingError(
            f"{name}: the cell name {twice!r} occurs twice; cells are matched by obs_names, "
            "make them unique (plate/well/site/label)."
        )
    X = features(cells)
    # Block by block: a truth value for each feature of a million cells is half a gigabyte.
    blocks = (X[start : start + BLOCK] for start in range(0, len(X), BLOCK))
    bad = np.concatenate([~np.isfinite(block).all(axis=1) for block in blocks])
    if bad.any():
        raise EmbeddingError(
            f"{name}: {int(bad.sum())} of {cells.n_obs} cells have NaN or infinite features "
            f"(first {cells.obs_names[bad][0]!r}): drop these cells or embed them again."
        )


def features(cells: ad.AnnData) -> NDArray[np.float32]:
    """Return X as a dense (N, D) float32 array."""
    X = cells.X
    dense = X.toarray() if sparse.issparse(X) else np.asarray(X)
    try:
        return dense.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"X holds {dense.dtype}, wanted numbers.") from error


def column(obs: pd.DataFrame, name: str, *, purpose: str) -> pd.Series:
    """Return a column of obs, named with or without ``Metadata_``, or say which exist.

    Raises
    ------
    EmbeddingError
        With the nearest name.
    """
    for known in (name, f"Metadata_{name}"):
        if known in obs.columns:
            return obs[known]
    choices = [str(choice) for choice in obs.columns]
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise EmbeddingError(
        f"no column {name!r} ({purpose}): {hint}there are {', '.join(choices) or 'no columns'}."
    )


def match_cells(embeddings: Sequence[Embedding]) -> tuple[pd.Index, int]:
    """Find the cells that all embeddings have, in the order of the first.

    Returns
    -------
    names : Index
        Common obs_names.
    dropped : int
        Cells that some embedding has and another lacks.
    """
    names = embeddings[0].cells.obs_names
    everything = names
    for one in embeddings[1:]:
        names = names[names.isin(one.cells.obs_names)]
        everything = everything.union(one.cells.obs_names, sort=False)
    if len(names) == 0:
        examples = "; ".join(f"{one.name}: {one.cells.obs_names[0]!r}" for one in embeddings[:3])
        raise EmbeddingError(f"the embeddings have no cell in common by obs_names ({examples}).")
    dropped = len(everything) - len(names)
    if dropped:
        log.warning(
            "%d of %d cells are not in every embedding and are left out.", dropped, len(everything)
        )
    return names, dropped
