"""Embeddings in memory: checked, and matched cell by cell."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from anndata.abc import CSCDataset, CSRDataset
from numpy.typing import NDArray
from scipy import sparse

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.embeddings.reading import no_features, read_embedding
from cellssl.phenotypes.leakage import UsedLabels
from cellssl.scores.scaling import row_blocks
from cellssl.words import listed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedding:
    """One embedding and who it is.

    Attributes
    ----------
    name : str
        Name in tables; embeddings that share it are repetitions of one training.
    seed : str
        Seed of the training.
    cells : AnnData
        X (N, D) float32.
    used : UsedLabels or None
        Of a weak one: the labels that its training used, as far as they are known.
    orientations : tuple of int
        Of how many orientations of a cell its features are the mean, each number once; none where nobody knows, or
        where they do not depend on how a cell lies.
    """

    name: str
    seed: str
    cells: ad.AnnData
    used: UsedLabels | None = None
    orientations: tuple[int, ...] = ()

    @property
    def weak(self) -> bool:
        """Trained with other cells of a well or treatment as positives; `cellssl embed` decides it."""
        return self.used is not None


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
    elif isinstance(embeddings, ad.AnnData | str | Path | pd.DataFrame):
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
                f"two embeddings are called {one.name!r} with {seed}: give each its own name (NAME=FILE on "
                "the command line), "
                'or its training\'s seed in uns["cellssl"]["seed"] when they are repetitions.'
            )
        seen.add((one.name, one.seed))
    return loaded


def _load(name: str | None, item: "ad.AnnData | str | Path", place: int) -> Embedding:
    """Read one embedding, and check it."""
    cells = read_embedding(item)
    provenance = cells.uns.get("cellssl", {})
    name = str(name or provenance.get("name") or f"embedding {place}")
    check_features(cells, name)
    if "model" not in provenance and cells.var_names[0].endswith("feature_0"):
        _LOG.warning(
            "%s: its features are called as an encoder's, and what `cellssl embed` wrote of it is lacking (uns["
            '"cellssl"]), so that nobody sees whether training used labels. anndata.concat drops it: '
            'concat(…, uns_merge="same") keeps it.',
            name,
        )
    seed = provenance.get("seed")
    return Embedding(
        name=name,
        seed="" if seed is None else str(seed),
        cells=cells,
        used=UsedLabels.read(provenance),
        orientations=_orientations(provenance),
    )


def _orientations(provenance: Mapping[str, Any]) -> tuple[int, ...]:
    """Read them of an embedding, or of all that it was put together from."""
    blocks = provenance.get("blocks")
    if isinstance(blocks, Mapping):
        return tuple(sorted({n for block in blocks.values() for n in _orientations(block)}))
    # Those of before they were written down are of cells as they lie.
    said = provenance.get("orientations", 1 if "model" in provenance else "any")
    return () if said == "any" else (int(said),)


def embedding_name(cells: ad.AnnData) -> str:
    """Give the name that messages call an embedding by."""
    return str(cells.uns.get("cellssl", {}).get("name", "the embedding"))


def check_features(cells: ad.AnnData, name: str | None = None) -> None:
    """Raise an EmbeddingError unless the features can be scored.

    They must exist, be finite, and belong to cells with unique names.
    """
    name = name or embedding_name(cells)
    if cells.X is None or cells.n_vars == 0:
        raise EmbeddingError(no_features(name, cells.obsm))
    check_names(cells, name)
    X = features(cells)
    # Block by block: a truth value for each feature of a million cells is half a gigabyte.
    bad, holes = np.zeros(len(X), bool), np.zeros(X.shape[1], np.int64)
    for block in row_blocks(len(X)):
        missing = ~np.isfinite(X[block])
        bad[block] = missing.any(axis=1)
        holes += missing.sum(axis=0)
    if bad.any():
        broken = cells.var_names[holes > cells.n_obs / 2]
        if len(broken):
            raise EmbeddingError(
                f"{name}: {len(broken)} of {cells.n_vars} features are NaN or infinite in most cells "
                f"(first {broken[0]!r}): drop these features."
            )
        raise EmbeddingError(
            f"{name}: {int(bad.sum())} of {cells.n_obs} cells have NaN or infinite features "
            f"(first {cells.obs_names[bad][0]!r}; features: {listed(cells.var_names[holes > 0], most=3)}): drop "
            "these cells or features, or embed the cells again."
        )


def check_names(cells: ad.AnnData, name: str) -> None:
    """Raise an EmbeddingError unless there are cells, and each has a name of its own."""
    if cells.n_obs == 0:
        raise EmbeddingError(f"{name} holds no cells.")
    if not cells.obs_names.is_unique:
        twice = cells.obs_names[cells.obs_names.duplicated()][0]
        raise EmbeddingError(
            f"{name}: the cell name {twice!r} occurs twice; cells are matched by obs_names, "
            "make them unique (plate/well/site/label)."
        )


def features(cells: ad.AnnData) -> NDArray[np.float32]:
    """Return X as a dense (N, D) float32 array; one that stays on disk is read."""
    X = cells.X
    X = X.to_memory() if isinstance(X, CSRDataset | CSCDataset) else X
    dense = X.toarray(order="C") if sparse.issparse(X) else np.asarray(X)
    try:
        return dense.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise EmbeddingError(f"X holds {dense.dtype}, wanted numbers.") from error


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
        _LOG.warning(
            "%d of %d cells are not in every embedding and are left out.", dropped, len(everything)
        )
    return names, dropped
