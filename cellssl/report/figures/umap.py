"""The map of all cells, coloured by what is known about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from cellssl.columns import bare_name
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import read_embedding
from cellssl.phenotypes.columns import require_column
from cellssl.report.figures.style import (
    GREY,
    INK,
    OKABE_ITO,
    UNKNOWN,
    bare,
    brief,
    category_colours,
    control_names,
    drawn_names,
    legend_below,
    literal,
    natural_order,
    new_figure,
    new_panels,
    styled,
)

if TYPE_CHECKING:
    from anndata import AnnData


ONE_MAP = 7  # as many names as there are colours that everybody can tell apart
MANY_MAPS = 24
BADGE = {"boxstyle": "round,pad=0.2", "fc": "white", "lw": 1.2, "alpha": 0.92}


@styled
def umap_figure(
    adata: "AnnData | str | Path",
    colour: str,
    *,
    title: str | None = None,
    grey: tuple[str, ...] | None = None,
    numbered: bool = False,
) -> Figure:
    """Draw ``obsm["X_umap"]`` coloured by one column of ``obs``.

    Up to seven names share one map with a legend; up to 24 get a small map each, their cells in
    colour over all others in grey (overlapping colours mislead); more become a colour scale.

    Parameters
    ----------
    adata : cells with ``obsm["X_umap"]`` (N, 2), or the path of their file
    colour : column of ``obs``, with or without ``Metadata_``
    grey : names drawn in grey beneath the others; what all negative controls are called when left out
    numbered : write each name on one map, at its cells' middle (for clusters)

    Raises
    ------
    EmbeddingError
        When the map or the column is missing.
    """
    adata = read_embedding(adata)
    if "X_umap" not in adata.obsm:
        raise EmbeddingError(
            "no UMAP in this embedding (obsm['X_umap']); run cellssl.cluster first, and take what it gives"
        )
    column = require_column(adata.obs, colour, purpose="the colour")
    colour = str(column.name)
    points = np.asarray(adata.obsm["X_umap"], np.float32)[:, :2]
    names = drawn_names(adata.obs, colour)
    order = natural_order(names)
    if grey is None:  # numbers say which is which: none of them is grey
        grey = () if numbered else control_names(adata.obs, colour)
    title = literal(title or bare_name(colour))
    rows = _kind_of_rows(adata)
    one = numbered or len(order) <= ONE_MAP + len(grey)
    if not one and len(order) <= MANY_MAPS:
        return _many_maps(points, names, order, title, rows)
    figure = new_figure(5.0, 4.2)
    axes = figure.add_subplot(title=title)
    bare(axes)
    axes.margins(0.03)
    shuffled = np.random.default_rng(0).permutation(len(points))  # the last name would cover others
    points, names = points[shuffled], names.iloc[shuffled]
    if numbered:
        _number_clusters(axes, points, names, order)
    elif one:
        _colour_names(figure, axes, points, names, order, grey, rows)
    else:
        _colour_scale(axes, points, column.iloc[shuffled], names, order)
    return figure


def _kind_of_rows(adata: "AnnData") -> str:
    """Say what a dot is: a cell, or what `aggregate_profiles` made of many."""
    if "Metadata_Cells" not in adata.obs:
        return "cells"
    level = adata.uns.get("cellssl", {}).get("level")
    return f"{level}s" if level else "profiles"


def _dot_size(points: np.ndarray) -> float:
    """Choose the area of a dot by the number of all cells, so that a name of few has no larger ones."""
    return float(np.clip(12_000 / len(points), 1.2, 14))


def _scatter(
    axes: Axes, points: np.ndarray, colours: Any, *, size: float, **more: Any
) -> PathCollection:
    return axes.scatter(points[:, 0], points[:, 1], c=colours, s=size, linewidths=0, **more)


def _colour_names(
    figure: Figure,
    axes: Axes,
    points: np.ndarray,
    names: pd.Series,
    order: list[str],
    grey: tuple[str, ...],
    rows: str,
) -> None:
    """Give each name a colour, and a legend below the map, where a phone shows it, too."""
    colours = category_colours(order, grey=grey)
    behind = names.isin([*grey, UNKNOWN]).to_numpy()
    for own in (behind, ~behind):
        in_turn = names[own].map(colours).to_list()
        _scatter(axes, points[own], in_turn, size=_dot_size(points), alpha=0.8)
    counts = names.value_counts()
    for name in order:
        label = f"{brief(name)} ({counts[name]:,})"
        axes.plot([], [], color=colours[name], label=label, ls="", marker="o", ms=7)
    legend_below(figure, axes, title=f"({rows})")


def _number_clusters(axes: Axes, points: np.ndarray, names: pd.Series, order: list[str]) -> None:
    """Give each name a colour, and write it on one of its cells."""
    colours = category_colours(order)
    _scatter(axes, points, names.map(colours).to_list(), size=_dot_size(points), alpha=0.8)
    for name in order:
        own = points[(names == name).to_numpy()]
        x, y = own[np.argmin(np.linalg.norm(own - np.median(own, axis=0), axis=1))].tolist()
        text = axes.text(x, y, literal(name), ha="center", va="center", fontsize=8.5, weight="bold")
        text.set_bbox({**BADGE, "ec": colours[name]})


def _many_maps(
    points: np.ndarray, names: pd.Series, order: list[str], title: str, rows: str
) -> Figure:
    columns = 5 if len(order) > 8 else 4
    figure, panels = new_panels(len(order), columns, size=(1.95, 1.75), above=0.35, share=True)
    size = float(np.clip(9_000 / len(points), 1.0, 7))
    for axes, name in zip(panels, order, strict=True):
        own = (names == name).to_numpy()
        _scatter(axes, points[~own], "#E1E5E9", size=size * 0.7)
        _scatter(axes, points[own], OKABE_ITO[0], size=size * 1.6, alpha=0.85)
        label = literal(name if len(name) <= 26 else name[:25] + "…")
        axes.set_title(f"{label}\n{own.sum():,} {rows}", fontsize=8, weight="normal", color=INK)
        bare(axes)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def _colour_scale(
    axes: Axes, points: np.ndarray, column: pd.Series, names: pd.Series, order: list[str]
) -> None:
    """Colour numbers by their value, names by their order."""
    numbers = pd.to_numeric(column, errors="coerce")
    named = numbers.isna().all() or column.dropna().astype(str).str.contains("[A-Za-z]").any()
    if named:
        numbers = names.map({name: i for i, name in enumerate(order)})
    values = numbers.to_numpy(float)
    known = np.isfinite(values)
    size = _dot_size(points)
    _scatter(axes, points[~known], GREY, size=size)
    drawn = _scatter(axes, points[known], values[known], size=size, cmap="cividis", alpha=0.85)
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.7, pad=0.02)
    if named:
        bar.set_ticks([0, len(order) - 1], labels=[literal(order[0]), literal(order[-1])])
        bar.set_label(f"{len(order):,} names in their order")
