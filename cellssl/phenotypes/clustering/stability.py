"""How finely cells may be clustered: the resolutions at which Leiden finds the same again."""

import itertools
import logging
from collections.abc import Sequence

import anndata as ad
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from cellssl.errors import EmbeddingError
from cellssl.phenotypes.clustering.graph import add_graph, leiden

_LOG = logging.getLogger(__name__)

RESOLUTIONS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0)

# Of more cells than this a sample is scanned: forty clusterings of a million would take a day.
SCANNED = 10_000

# Share of the cells in each subsample.
SHARE = 0.8

# Resolutions whose stability is so little below the best one's count as equally stable.
TOLERANCE = 0.05

# Below this two subsamples disagree about more pairs of cells than they agree on by their clusters.
STABLE = 0.5


def scan_resolutions(
    components: NDArray[np.float32],
    resolutions: Sequence[float] = RESOLUTIONS,
    *,
    neighbours: int = 15,
    repeats: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Cluster subsamples of the cells at several resolutions and compare them with each other.

    Every subsample keeps four fifths of the cells and the graph among them; two subsamples are
    compared by the adjusted Rand index on the cells they share. Of more than 10,000 cells a random
    sample of so many is scanned. What a resolution means depends a little on the number of cells:
    of all cells Leiden may find some more clusters at it than of the sample.

    Parameters
    ----------
    components : (N, K)
        Principal components of the cells.
    resolutions : sequence of float
    neighbours : int
        Of each cell in the graph.
    repeats : int
        Subsamples, two at least; each has its own start of Leiden too.

    Returns
    -------
    DataFrame
        resolution, clusters (median over the subsamples), stability (mean ARI of every two), low,
        high (the lowest and highest ARI), cells (scanned), chosen: see `choose_resolution`.

    Raises
    ------
    EmbeddingError
        With no resolution, one that is not positive, or fewer than two subsamples.
    """
    if not len(resolutions) or min(resolutions) <= 0:
        raise EmbeddingError(f"resolutions are numbers above 0, got {list(resolutions)}.")
    if repeats < 2:
        raise EmbeddingError(f"stability compares two subsamples at least, got {repeats}.")
    generator = np.random.default_rng(seed)
    if len(components) > SCANNED:
        rows = generator.choice(len(components), SCANNED, replace=False)
        components = components[np.sort(rows)]
    cells = ad.AnnData(obsm={"X_pca": components}, shape=(len(components), 0))
    add_graph(cells, neighbours=neighbours, seed=seed)
    size = max(2, round(SHARE * len(components)))
    samples = [
        np.sort(generator.choice(len(components), size, replace=False)) for _ in range(repeats)
    ]
    parts = [cells[sample].copy() for sample in samples]
    table = pd.DataFrame(
        [_agreement(parts, samples, float(resolution)) for resolution in sorted(resolutions)]
    )
    table["cells"] = len(components)
    table["chosen"] = table["resolution"] == choose_resolution(table)
    return table


def _agreement(
    parts: Sequence[ad.AnnData], samples: Sequence[NDArray[np.int64]], resolution: float
) -> dict[str, float]:
    """Compare the clusterings of every two subsamples on the cells that they share."""
    found = [leiden(part, resolution=resolution, seed=number) for number, part in enumerate(parts)]
    indices = []
    for i, j in itertools.combinations(range(len(parts)), 2):
        _, own, other = np.intersect1d(samples[i], samples[j], return_indices=True)
        indices.append(adjusted_rand_score(found[i][own], found[j][other]))
    return {
        "resolution": resolution,
        "clusters": float(np.median([clusters.max() + 1 for clusters in found])),
        "stability": float(np.mean(indices)),
        "low": float(np.min(indices)),
        "high": float(np.max(indices)),
    }


def choose_resolution(table: pd.DataFrame) -> float:
    """Choose the finest resolution that is within 0.05 of the most stable one, as are all between the two.

    What follows on a less stable one is not looked at: of cells without clear clusters many small
    ones are about as stable as few. One cluster is always found again and is no answer: such
    resolutions are left out, unless there are no others. Labels have no part in the choice.

    Parameters
    ----------
    table : DataFrame
        resolution, clusters, stability, as from `scan_resolutions`.

    Returns
    -------
    float
    """
    several = table[table["clusters"] >= 2].sort_values("resolution")
    if several.empty:
        _LOG.warning("Leiden finds one cluster only at every resolution.")
        return float(table["resolution"].max())
    best = several["stability"].max()
    if best < STABLE:
        _LOG.warning(
            "no resolution is stable (adjusted Rand index of subsamples %.2f at best): "
            "these cells form no clusters that others would find again.",
            best,
        )
    finer = several.loc[several["stability"].idxmax() :]
    alike = (finer["stability"] >= best - TOLERANCE).cummin()
    return float(finer.loc[alike, "resolution"].max())
