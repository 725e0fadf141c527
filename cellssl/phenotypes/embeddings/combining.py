"""Several embeddings of the same cells as one: what each is blind to, another may see."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import cellssl
from cellssl.errors import EmbeddingError
from cellssl.files import check_h5ad, write_h5ad
from cellssl.phenotypes.embeddings.blocks import BLOCK, block_names, weigh
from cellssl.phenotypes.embeddings.matching import Embedding, features, load_embeddings, match_cells
from cellssl.scores import standardise

_RULE = "features standardised over the common cells, then divided by the root of how many vary"


def combine(
    embeddings: "Sequence[ad.AnnData | str | Path] | Mapping[str, ad.AnnData | str | Path]",
    out: str | Path | None = None,
    *,
    name: str | None = None,
) -> ad.AnnData:
    """Join embeddings of the same cells block by block, so that all blocks weigh alike.

    Each feature gets mean 0 and deviation 1 over the common cells, and each block is divided by the
    square root of the number of its features that vary: 27 statistics weigh as much as 512 features
    of a network. `evaluate` and `cluster` know the blocks, normalise each by itself and weigh them
    alike again, so that no normalisation undoes it. Combinations combine: their blocks are taken
    apart first.

    Parameters
    ----------
    embeddings : sequence or mapping
        Two or more AnnData or files (see `read_embedding`). Those of one name must differ in their
        seed. Cells are matched by `obs_names`, never by their position; only cells that all have are
        kept, in the order of the first, and how many are not is said.
    out : path, optional
        The ``.h5ad`` to write.
    name : str, optional
        Of the combination; the blocks' names joined by " + " unless given.

    Returns
    -------
    AnnData
        X (N, D) float32; `obs` of the first embedding; `var["block"]`; `uns["cellssl"]` with name,
        blocks ("1", "2", …: the provenance of each, its features and how many of them vary),
        weak (where a block is), labels_used (of all blocks) and, where all blocks have the same, seed.

    Raises
    ------
    EmbeddingError
        When there are fewer than two, they have no cell in common, or one is unfit.

    Examples
    --------
    >>> combine(["expert.h5ad", "geometry.h5ad"], "both.h5ad")  # doctest: +SKIP
    """
    if out is not None:
        check_h5ad(Path(out))
    loaded = load_embeddings(embeddings)
    if len(loaded) < 2:
        raise EmbeddingError(
            f"combining needs two embeddings at least, got {loaded[0].name} alone."
        )
    names, dropped = match_cells(loaded)
    if len(names) < 2:
        raise EmbeddingError(f"the embeddings have {len(names)} cell in common, wanted more.")
    labels = _labels(loaded)
    blocks = [
        block
        for one, label in zip(loaded, labels, strict=True)
        for block in _blocks(one, names, label=label)
    ]
    X = np.concatenate([weigh(standardise(values)) for _, values, _ in blocks], axis=1)
    result = ad.AnnData(X, obs=loaded[0].cells.obs.loc[names].copy(), var=_variables(blocks))
    result.uns["cellssl"] = {
        "name": name or " + ".join(dict.fromkeys(one.name for one in loaded)),
        "model": "combination",
        **_inherited([about for _, _, about in blocks]),
        "blocks": {
            str(number): {**about, **_count_features(values)}
            for number, (_, values, about) in enumerate(blocks, start=1)
        },
        "block_rule": _RULE,
        "cells_not_in_all": dropped,
        "version": cellssl.__version__,
    }
    if out is not None:
        write_h5ad(result, Path(out))
    return result


_Block = tuple[str, pd.DataFrame, dict[str, Any]]


def _labels(loaded: Sequence[Embedding]) -> list[str]:
    """Call each embedding by its name, and by its seed where several share that."""
    names = [one.name for one in loaded]
    return [
        one.name if names.count(one.name) == 1 else f"{one.name} seed {one.seed}" for one in loaded
    ]


def _blocks(one: Embedding, names: pd.Index, *, label: str) -> list[_Block]:
    """Give the blocks of an embedding: label, features (n, d), provenance. One, unless it is combined."""
    values = pd.DataFrame(
        features(one.cells)[one.cells.obs_names.get_indexer(names)], columns=one.cells.var_names
    )
    provenance = {**one.cells.uns.get("cellssl", {}), "name": one.name}
    inner = block_names(one.cells)
    if inner is None:
        return [(label, values, provenance)]
    described = provenance.get("blocks", {})
    found = list(dict.fromkeys(inner.tolist()))
    return [
        (
            block,
            values.loc[:, inner == block].rename(
                columns=lambda name, start=f"{block}: ": str(name).removeprefix(start)
            ),
            dict(described.get(str(number), {"name": block})),
        )
        for number, block in enumerate(found, start=1)
    ]


def _variables(blocks: Sequence[_Block]) -> pd.DataFrame:
    """Name the features after their block."""
    labels = [label for label, _, _ in blocks]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise EmbeddingError(f"the block {twice!r} comes twice: combine each embedding once.")
    names = [f"{label}: {feature}" for label, values, _ in blocks for feature in values.columns]
    block = np.repeat(labels, [values.shape[1] for _, values, _ in blocks]).astype(object)
    return pd.DataFrame({BLOCK: block}, index=pd.Index(names, dtype=object))


def _count_features(values: pd.DataFrame) -> dict[str, int]:
    """Count a block's features, and those that vary and so weigh."""
    varying = standardise(values).any(axis=0)
    return {"features": values.shape[1], "features_that_vary": int(varying.sum())}


def _inherited(provenance: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say of the whole what holds for its blocks: weak where one is, a seed where all share it."""
    weak = [about for about in provenance if about.get("weak", False)]
    said: dict[str, Any] = {
        "positives": ", ".join(
            dict.fromkeys(str(about.get("positives", "")) for about in provenance)
        ).strip(", "),
        "weak": bool(weak),
    }
    if weak:
        said["labels_used"] = _unite_labels([about.get("labels_used", {}) for about in weak])
    seeds = {str(about.get("seed")) for about in provenance}
    if len(seeds) == 1 and "seed" in provenance[0]:
        said["seed"] = provenance[0]["seed"]
    return said


def _unite_labels(used: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.object_]]:
    """Unite the labels that several trainings used; where one does not say, none is known."""
    joined = {}
    for key in ("columns", "plates"):
        lists = [list(map(str, one.get(key, ()))) for one in used]
        known = sorted({name for names in lists for name in names}) if all(lists) else []
        joined[key] = np.asarray(known, dtype=object)
    return joined
