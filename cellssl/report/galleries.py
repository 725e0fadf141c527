"""Cells side by side: some of each cluster, mechanism, compound or whatever else a column says."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cellssl.arguments import whole_numbers
from cellssl.crops import Crops
from cellssl.errors import CropError, EmbeddingError
from cellssl.phenotypes import read_embedding, require_label
from cellssl.phenotypes.embeddings.matching import features
from cellssl.report.figures.gallery import GalleryRow, crop_gallery
from cellssl.report.figures.style import drawn_names, natural_order
from cellssl.report.scaling import crop_rows, display_scaling, none_of_these
from cellssl.words import counted

CELLS = 8  # pictures in a row
MOST_ROWS = 24


@whole_numbers(error=EmbeddingError, cells=1, seed=0)
def gallery(
    embedding: ad.AnnData | Crops | str | Path,
    crops: Crops | str | Path | None = None,
    *,
    by: str | None = None,
    values: str | Sequence[str] | None = None,
    cells: int = CELLS,
    typical: bool = True,
    split: bool = True,
    micrometres_per_pixel: float | None = None,
    seed: int = 0,
) -> Figure:
    """Show some cells of each value of a column, one row a value, all with the same brightness.

    Parameters
    ----------
    embedding : AnnData or path
        As :func:`cellssl.evaluate` reads it; or a crop file, of cells that are not embedded yet.
    crops : Crops or path, optional
        The crop file that it was made from; cells are matched by their names. Left out where the first is one.
    by : str, optional
        Column of obs, with or without ``Metadata_``: MOA, Compound, leiden, …; a usual label when
        left out.
    values : str or sequence of str, optional
        Which of its values are shown, in this order; all when left out, the first 24 of more.
    cells : int
        Pictures in a row.
    typical : bool
        Draw from the half of a row's cells nearest to its middle in the embedding, so that outliers do
        not speak for the rest; False, or a crop file alone, draws from all of them, which shows how much cells vary.
    split : bool
        Show each row's first cell channel by channel, too.
    micrometres_per_pixel : float, optional
        For the scale bar; in pixels when not known.
    seed : int
        Of the draw.

    Returns
    -------
    Figure
        Shows itself in Jupyter; :func:`save_figure` writes it.

    Raises
    ------
    EmbeddingError
        When there is no such column or value.
    CropError
        When none of the cells is in the crop file.

    Examples
    --------
    >>> gallery("crops.h5ad", by="MOA")  # doctest: +SKIP
    >>> gallery("embedding.h5ad", "crops.h5ad", by="leiden")  # doctest: +SKIP
    """
    if crops is None:
        if isinstance(embedding, ad.AnnData):
            raise CropError(
                "pictures are read from a file, and an AnnData was given alone: give the crop file of its cells, too; "
                "one that holds crops itself is written first, by write_h5ad."
            )
        file = Crops.open(embedding)
        embedded, typical = ad.AnnData(obs=file.obs), False
    else:
        if isinstance(embedding, Crops):
            raise EmbeddingError("of two, the embedding comes first and the crop file second.")
        embedded, file = read_embedding(embedding), Crops.open(crops)
    column = require_label(embedded.obs, by)
    groups = drawn_names(embedded.obs, column)
    order = _choose_values(groups, values, column)
    rows = gallery_rows(embedded, file, groups, order, cells=cells, typical=typical, seed=seed)
    if not rows:
        raise none_of_these(embedded, file)
    return crop_gallery(
        rows, file.channels, split=split, micrometres_per_pixel=micrometres_per_pixel
    )


def _choose_values(
    groups: "pd.Series[str]", values: str | Sequence[str] | None, column: str
) -> list[str]:
    values = [str(values)] if np.isscalar(values) else values
    there = natural_order(groups)
    if values is None:
        return there[:MOST_ROWS]
    unknown = [value for value in values if str(value) not in there]
    if unknown or not values:
        what = f"no cell has {unknown[0]!r}" if unknown else "values are empty: nothing is chosen"
        raise EmbeddingError(f"{column}: {what}; there are: {', '.join(there)}.")
    return [str(value) for value in values]


def gallery_rows(
    embedding: ad.AnnData,
    crops: Crops,
    groups: "pd.Series[str]",
    order: Sequence[str],
    *,
    titles: Mapping[str, str] | None = None,
    details: Callable[[np.ndarray], Sequence[str]] = lambda _: (),
    cells: int = CELLS,
    typical: bool = True,
    seed: int = 0,
) -> list[GalleryRow]:
    """Read cells of each group; those that the crop file lacks are left out, and groups of none.

    Parameters
    ----------
    groups : Series (N,)
        The group of each cell of the embedding.
    order : sequence of str
        Groups, one a row.
    titles : mapping, optional
        Group → what its row is called; the group's own name by default.
    details : function
        (N,) bool, which cells are of a group → lines beneath its name.
    """
    place = crop_rows(embedding, crops)
    if (place < 0).all():
        return []
    scaling = display_scaling(embedding, crops)
    known = _features(embedding) if typical else None
    rows = []
    for name in order:
        inside = (groups == name).to_numpy()
        there = np.flatnonzero(inside & (place >= 0))
        if not len(there):
            continue
        images = scaling.read(crops, place[_draw(known, there, cells, seed=seed)])
        title = (titles or {}).get(name, name)
        lines = (counted(int(inside.sum()), "cell"), *details(inside))
        rows.append(GalleryRow(title, lines, images))
    return rows


def _features(embedding: ad.AnnData) -> np.ndarray:
    """Give what is near to what: principal components (N, K) where there are any, else all features."""
    return np.asarray(embedding.obsm["X_pca"] if "X_pca" in embedding.obsm else features(embedding))


def _draw(known: np.ndarray | None, inside: np.ndarray, cells: int, *, seed: int) -> np.ndarray:
    """Draw cells from the half nearest to the group's middle (no outliers, not hand-picked), or from all."""
    if known is not None:
        own = known[inside]
        distance = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        inside = inside[np.argsort(distance, kind="stable")[: max(cells, len(inside) // 2)]]
    return np.random.default_rng(seed).permutation(inside)[:cells]
