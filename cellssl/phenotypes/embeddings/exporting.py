"""Embeddings for other programs, and for the next command."""

import logging
from pathlib import Path

import anndata as ad
import numpy as np
from scipy import sparse

from cellssl.errors import EmbeddingError
from cellssl.files import make_folder, write_h5ad
from cellssl.phenotypes.embeddings.deepprofiler import write_profile_folder
from cellssl.phenotypes.embeddings.mantispy import to_mantispy
from cellssl.phenotypes.embeddings.matching import check_names, embedding_name, features
from cellssl.phenotypes.embeddings.profile_tables import write_profile_table
from cellssl.phenotypes.embeddings.reading import no_features, read_embedding

_LOG = logging.getLogger(__name__)


def export_embedding(
    embedding: ad.AnnData | str | Path, out: str | Path, *, unit: str | None = None
) -> Path:
    """Write an embedding for another program; the name's end says for which.

    ==========================  ==================================================================
    out                         what is written
    ==========================  ==================================================================
    ``.parquet``                for pycytominer: a row a cell, its columns named ``Metadata_…``,
                                features ``Cells_…``, so that it finds both by itself
    ``.csv``, ``.csv.gz``       the same as text, and ``….cellssl.json`` beside it
    ``.h5ad``                   for mantispy: an AnnData by its morphology schema 2.0
    no end (a folder)           for DeepProfiler's tools: ``features/<plate>/<well>/<site>.npz`` with
                                features and locations, and ``index.csv``; nothing is pickled
    ==========================  ==================================================================

    `read_embedding`, and so every command, reads each back as it was: features (float32), names and
    table of the cells, names and columns of the features, and provenance. What else an AnnData may hold
    (layers, obsm, graphs) is not written.

    Parameters
    ----------
    embedding : AnnData or path
    out : path
        A file is replaced; a folder must be new or empty.
    unit : str, optional
        For mantispy: the unit of `Metadata_Concentration`, "uM" say.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    EmbeddingError
        When the name says nothing that is known, or the format cannot hold the embedding.

    Examples
    --------
    >>> export_embedding("expert.h5ad", "expert.parquet")  # doctest: +SKIP
    """
    out = Path(out)
    cells = read_embedding(embedding)
    kind = out.name.lower().removesuffix(".gz").rpartition(".")[2] if out.suffix else ""
    if kind not in ("parquet", "csv", "h5ad", ""):
        raise EmbeddingError(
            f"no format goes with {out.name!r}: wanted .parquet or .csv (pycytominer), .h5ad (mantispy), "
            "or a folder, a name without an end (DeepProfiler)."
        )
    if unit is not None and kind != "h5ad":
        raise EmbeddingError(f"unit goes with .h5ad (mantispy); leave it out for {out.name}.")
    if not isinstance(embedding, ad.AnnData) and out.absolute() == Path(embedding).absolute():
        raise EmbeddingError(f"{out} is the embedding itself: choose another name with --out.")
    name = embedding_name(cells)
    check_names(cells, name)
    X = features(cells)
    if not X.shape[1]:
        raise EmbeddingError(no_features(name))
    make_folder(out.absolute().parent)
    if kind == "h5ad":
        write_h5ad(to_mantispy(cells, X, unit=unit), out)
    elif kind:
        write_profile_table(cells, X, out)
    else:
        write_profile_folder(cells, X, out)
    _tell_lost(cells)
    return out


def _tell_lost(cells: ad.AnnData) -> None:
    """Say what an embedding holds beside itself and is not written."""
    lost = [
        f"{slot}[{key!r}]"
        for slot in ("layers", "obsm", "varm", "obsp", "varp")
        for key in getattr(cells, slot)
        if key is not None  # as anndata 0.13 calls X among the layers
    ]
    lost += [f"uns[{key!r}]" for key in cells.uns if key != "cellssl"]
    if lost:
        _LOG.warning("not written: %s", ", ".join(lost))
    X = cells.X
    if sparse.issparse(X) or (isinstance(X, np.ndarray) and X.dtype != np.float32):
        _LOG.info("features are written as dense float32")
