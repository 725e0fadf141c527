"""The map of all cells, coloured by what is known about them."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cellssl.errors import EmbeddingError
from cellssl.report.figures.style import (
    GREY,
    INK,
    OKABE_ITO,
    UNKNOWN,
    as_categories,
    bare,
    category_colours,
    natural_order,
    new_figure,
    plain,
    styled,
)

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ONE_MAP", "umap_figure"]

ONE_MAP = 7  # as many names as there are colours that everybody can tell apart
MANY_MAPS = 24


@styled
def umap_figure(
    adata: "AnnData",
    colour: str,
    *,
    title: str | None = None,
    grey: tuple[str, ...] = (),
    numbered: bool = False,
    seed: int = 0,
) -> Figure:
    """Draw ``obsm["X_umap"]`` coloured by one column of ``obs``.

    Up to seven names share one map with a legend; up to 24 get a small map each, their cells in
    colour over all others in grey (overlapping colours mislead); more become a colour scale.

    Parameters
    ----------
    adata : cells with ``obsm["X_umap"]`` (N, 2)
    colour : column of ``obs``
    grey : names drawn in grey beneath the others, e.g. the negative control
    numbered : write each name on one map, at its cells' middle (for clusters)
    seed : order in which points are drawn, so that the last name does not cover the others

    Raises
    ------
    EmbeddingError
        When the map or the column is missing.
    """
    if "X_umap" not in adata.obsm:
        raise EmbeddingError(
            "no UMAP in this embedding (obsm['X_umap']); run phenotypes.cluster first"
        )
    if colour not in adata.obs:
        known = ", ".join(map(str, adata.obs.columns))
        raise EmbeddingError(f"no column {colour!r} in this embedding's obs; there are: {known}")
    points = np.asarray(adata.obsm["X_umap"], np.float32)[:, :2]
    column = adata.obs[colour]
    names = as_categories(column)
    order = natural_order(list(names))
    title = plain(title or colour.removeprefix("Metadata_"))
    if numbered:
        return _numbered_map(points, names, order, title, seed)
    if len(order) <= ONE_MAP + len(grey):
        return _one_map(points, names, order, title, grey, seed)
    if len(order) <= MANY_MAPS:
        return _many_maps(points, names, order, title)
    return _scale_map(points, column, order, title, seed)


def _scatter(
    axes: Axes, points: np.ndarray, colours: object, *, size: float | None = None, **more: object
) -> object:
    """Scatter with a dot that suits the number of cells."""
    size = size or float(np.clip(12_000 / max(len(points), 1), 1.2, 14))
    return axes.scatter(points[:, 0], points[:, 1], c=colours, s=size, linewidths=0, **more)  # type: ignore[arg-type]


def _axes_names(axes: Axes) -> None:
    bare(axes)
    axes.margins(0.03)


def _one_map(
    points: np.ndarray,
    names: pd.Series,
    order: list[str],
    title: str,
    grey: tuple[str, ...],
    seed: int,
) -> Figure:
    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    colours = category_colours(order, grey=grey)
    shuffled = np.random.default_rng(seed).permutation(len(points))
    behind = names.isin([*grey, UNKNOWN]).to_numpy()
    for chosen in (shuffled[behind[shuffled]], shuffled[~behind[shuffled]]):
        _scatter(axes, points[chosen], names.iloc[chosen].map(colours).to_list(), alpha=0.8)
    counts = names.value_counts()
    handles = [
        Line2D(
            [],
            [],
            ls="",
            marker="o",
            ms=7,
            color=colours[name],
            label=plain(f"{name} ({counts[name]:,})"),
        )
        for name in order
    ]
    axes.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), title="(cells)")
    axes.set_title(title)
    _axes_names(axes)
    return figure


def _numbered_map(
    points: np.ndarray, names: pd.Series, order: list[str], title: str, seed: int
) -> Figure:
    figure = new_figure(5.0, 4.2)
    axes = figure.add_subplot()
    colours = category_colours(order)
    shuffled = np.random.default_rng(seed).permutation(len(points))
    _scatter(axes, points[shuffled], names.iloc[shuffled].map(colours).to_list(), alpha=0.8)
    for name in order:
        own = points[(names == name).to_numpy()]
        middle = own[np.argmin(np.linalg.norm(own - np.median(own, axis=0), axis=1))]
        box = {
            "boxstyle": "round,pad=0.2",
            "fc": "white",
            "ec": colours[name],
            "lw": 1.2,
            "alpha": 0.92,
        }
        axes.text(
            float(middle[0]),
            float(middle[1]),
            plain(name),
            ha="center",
            va="center",
            fontsize=8.5,
            weight="bold",
            bbox=box,
        )
    axes.set_title(title)
    _axes_names(axes)
    return figure


def _many_maps(points: np.ndarray, names: pd.Series, order: list[str], title: str) -> Figure:
    columns = 5 if len(order) > 8 else 4
    rows = -(-len(order) // columns)
    figure = new_figure(1.95 * columns, 1.75 * rows + 0.35)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    size = float(np.clip(9_000 / len(points), 1.0, 7))
    for axes, name in zip(grid.flat, order, strict=False):
        own = (names == name).to_numpy()
        _scatter(axes, points[~own], "#E1E5E9", size=size * 0.7)
        _scatter(axes, points[own], OKABE_ITO[0], size=size * 1.6, alpha=0.85)
        label = plain(name if len(name) <= 26 else name[:25] + "…")
        axes.set_title(f"{label}\n{own.sum():,} cells", fontsize=8, weight="normal", color=INK)
    for axes in grid.flat:
        bare(axes)
    for axes in grid.flat[len(order) :]:
        axes.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, weight="bold")
    return figure


def _scale_map(
    points: np.ndarray, column: pd.Series, order: list[str], title: str, seed: int
) -> Figure:
    figure = new_figure(7.0, 4.2)
    axes = figure.add_subplot()
    numeric = pd.to_numeric(column, errors="coerce")
    is_numeric = (
        bool(numeric.notna().any()) and not column.astype(str).str.contains("[A-Za-z]").any()
    )
    rank = {name: i for i, name in enumerate(order)}
    values = (
        numeric.to_numpy(float) if is_numeric else as_categories(column).map(rank).to_numpy(float)
    )
    shuffled = np.random.default_rng(seed).permutation(len(points))
    known = shuffled[np.isfinite(values[shuffled])]
    _scatter(axes, points[~np.isfinite(values)], GREY)
    drawn = _scatter(axes, points[known], values[known], cmap="cividis", alpha=0.85)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.02)  # type: ignore[arg-type]
    if not is_numeric:
        bar.set_ticks([0, len(order) - 1], labels=[plain(order[0]), plain(order[-1])])
        bar.set_label(f"{len(order)} names in their order")
    axes.set_title(title)
    _axes_names(axes)
    return figure
