"""Embeddings from files of every kind that cellssl or its neighbours write."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import anndata as ad
import h5py

from cellssl.errors import EmbeddingError, first_line
from cellssl.phenotypes.embeddings.deepprofiler import is_profile_folder, read_profile_folder
from cellssl.phenotypes.embeddings.mantispy import from_mantispy
from cellssl.phenotypes.embeddings.profile_tables import from_table, read_profile_table


def read_embedding(embedding: ad.AnnData | str | Path) -> ad.AnnData:
    """Read an embedding: AnnData (.h5ad, .zarr), CSV (.csv, .csv.gz), Parquet, or an exported folder.

    What `export_embedding` wrote comes back as it was: features, cells' names and table, names of
    features, provenance.

    Parameters
    ----------
    embedding : path, or AnnData
        One that is open already is given back as it is. In a table that others wrote, columns
        `Metadata_*`, `Quality_*`, `Area_*`, `leiden`, `kmeans` and columns of text or truth values
        describe the cells; every other column of numbers is a feature. Cells are named by a column
        `Metadata_Cell`, `cell_id`, `obs_names` or an unnamed first one; else by plate, well, site and
        label. Controls of an AnnData by mantispy's schema are read as `negative` and `positive`.

    Returns
    -------
    AnnData
        X (N, D) float32; `uns["cellssl"]["name"]` is the file's stem when it has none.

    Raises
    ------
    EmbeddingError
        When the file is missing, of another kind, broken, or holds no features or no cells.
    """
    if isinstance(embedding, ad.AnnData):
        return _with_cells(embedding, "the embedding")
    if not isinstance(embedding, str | Path):
        raise EmbeddingError(
            f"an embedding is an AnnData or the path of its file: got {type(embedding).__name__}. `cellssl embed` "
            "makes one of crops, anndata.AnnData(numbers, obs=what is known of the cells) of tables."
        )
    path = Path(embedding)
    if not path.exists():
        raise EmbeddingError(f"{path} does not exist: make it with `cellssl embed`.")
    cells = _read_kind(path, path.name.lower().removesuffix(".gz").rsplit(".", 1)[-1])
    record = cells.uns.get("cellssl", {})
    if not isinstance(record, Mapping):
        raise EmbeddingError(
            f'{path}: uns["cellssl"] holds {record!r:.60}, wanted keys and values as `cellssl embed` '
            "writes them: remove it."
        )
    stem = path.name.split(".")[0]
    name = path.absolute().parent.name if stem == "embedding" else stem
    cells.uns["cellssl"] = {"name": name, **record}
    return _with_cells(cells, str(path))


def _read_kind(path: Path, kind: str) -> ad.AnnData:
    """Read a file or folder by its ending."""
    if is_profile_folder(path):
        return read_profile_folder(path)
    if path.is_dir() and kind != "zarr":
        raise EmbeddingError(_no_embedding(path))
    if kind in ("h5ad", "zarr"):
        return from_mantispy(_read_anndata(path, kind))
    if kind not in ("csv", "parquet"):
        raise EmbeddingError(
            f"{path.name} is no embedding: wanted .h5ad, .zarr, .csv, .csv.gz or .parquet."
        )
    table, record = read_profile_table(path, kind)
    if not len(table):
        raise EmbeddingError(f"{path} holds no cells: there are names of columns and no row below.")
    cells = from_table(table, record, path)
    if not cells.n_vars:
        raise EmbeddingError(no_features(str(path)))
    return cells


def _with_cells(cells: ad.AnnData, name: str) -> ad.AnnData:
    """Give the embedding back; one without cells is refused, whatever is asked of it."""
    if cells.n_obs == 0:
        raise EmbeddingError(f"{name} holds no cells.")
    return cells


def _no_embedding(folder: Path) -> str:
    """Say what to give in place of a folder: an embedding in it, or what makes one of DeepProfiler's features."""
    inside = sorted(file.name for file in folder.glob("*.h5ad") if file.name != "crops.h5ad")
    if inside:
        return f"{folder} is a folder: name the file in it, {folder / inside[0]}."
    return (
        f"{folder} is a folder, and none that `cellssl export` wrote: crops get their features by `cellssl "
        "embed`, DeepProfiler's own are taken over by `cellssl crops features`."
    )


def _read_anndata(path: Path, kind: str) -> ad.AnnData:
    """Read an AnnData; a crop file is refused before its pixels are read."""
    try:
        if kind == "zarr":
            return ad.read_zarr(path)
        with h5py.File(path) as file:
            X, others = file.get("X"), list(file.get("obsm", ()))
            empty = isinstance(X, h5py.Dataset) and X.ndim == 2 and X.shape[1] == 0
        if not empty:
            return ad.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise EmbeddingError(f"{path} cannot be read as AnnData: {first_line(error)}") from error
    raise EmbeddingError(no_features(str(path), others))


def no_features(name: str, obsm: Iterable[str] = ()) -> str:
    """Say that there are no features, and what may be wrong: in `obsm` others keep theirs, cellssl pixels."""
    others = [key for key in obsm if key not in ("crops", "masks")]
    if others:
        return (
            f"{name} holds no features (X has no columns). If they are in obsm ({', '.join(others)}), "
            f"make them X: anndata.AnnData(cells.obsm[{others[0]!r}], obs=cells.obs)."
        )
    return (
        f"{name} holds no features (X has no columns). "
        "If it is a file of crops, embed them first: `cellssl embed`."
    )
