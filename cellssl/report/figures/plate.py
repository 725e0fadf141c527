"""A plate as it lies on the bench: one square per well."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellssl.columns import CONTROL, WELL
from cellssl.controls import control_kinds
from cellssl.errors import EmbeddingError
from cellssl.report.figures.style import FAINT, INK, literal, new_figure, styled
from cellssl.wells import ROWS, is_well, plate_format, well_place

SIGNS = {"negative": "−", "positive": "+"}


def control_marks(table: pd.DataFrame) -> dict[str, str]:
    """Tell which wells are which control, of the cells or fields of one plate."""
    if CONTROL not in table:
        return {}
    names = [WELL, CONTROL]
    wells = table[names].drop_duplicates()  # of a million cells some hundreds are left
    kinds = zip(wells[WELL].astype(str), control_kinds(wells[CONTROL]), strict=True)
    return {well: str(kind) for well, kind in kinds if kind}


def shape_of(wells: Iterable[object]) -> tuple[int, int]:
    """Tell rows and columns of the plate that wells (``A01``) lie on; what is no well is left out."""
    return plate_format(well_place(str(well)) for well in wells if is_well(well))


@styled
def plate_map(
    values: "pd.Series[float]",
    *,
    title: str = "",
    unit: str = "",
    marks: Mapping[str, str] | None = None,
    limits: tuple[float, float] | None = None,
    shape: tuple[int, int] | None = None,
) -> Figure:
    """Draw one number per well in the plate's own layout.

    Parameters
    ----------
    values : well (``A01``) → number; wells that are missing stay empty, wells with NaN are crossed
    unit : what the numbers are, written at the colour scale
    marks : well → "negative" or "positive": drawn with a − or + in the corner
    limits : ends of the colour scale; the data's own by default
    shape : (rows, columns) of the plate; what `plate_format` takes these wells for by default
    """
    named = [*map(str, values.index), *(marks or {})]
    rows, columns = shape or shape_of(named)
    # A small plate's squares are larger: its title needs their width.
    size = max(2.7 / columns, 0.3) if columns <= 12 else (0.32 if columns <= 24 else 0.2)
    figure = new_figure(columns * size + 1.3, rows * size + 0.75)
    axes = figure.add_subplot()
    grid = np.full((rows, columns), np.nan)
    places = {well: well_place(well) for well in named}
    beyond = [well for well, (y, x) in places.items() if y >= rows or x >= columns]
    if beyond:
        raise EmbeddingError(
            f"a plate of {rows} × {columns} wells (shape=) has no {beyond[0]}: give shape=(rows, columns) as the "
            "plate has them, or leave it out"
        )
    for well, value in values.items():
        grid[places[str(well)]] = value
    low, high = limits or _limits(grid)
    image = axes.imshow(np.ma.masked_invalid(grid), cmap="cividis", vmin=low, vmax=high)
    _grid_lines(axes, grid, values.index)
    if columns <= 12:
        _numbers(axes, grid, low, high)
    for well, mark in (marks or {}).items():
        row, column = places[well]
        dark = grid[row, column] <= (low + high) / 2  # not so where there is no number
        sign = axes.text(column + 0.46, row - 0.46, SIGNS[mark], ha="right", va="top")
        sign.set(fontsize=7.5, weight="bold", color="white" if dark else "black")
    axes.set_title(literal(title))
    figure.colorbar(image, ax=axes, shrink=0.85, pad=0.015).set_label(literal(unit))
    return figure


def _limits(grid: np.ndarray) -> tuple[float, float]:
    known = grid[np.isfinite(grid)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _grid_lines(axes: Axes, grid: np.ndarray, wells: "pd.Index[str]") -> None:
    """Name rows and columns, outline every place, cross wells that have no number."""
    rows, columns = grid.shape
    there = {well_place(str(well)) for well in wells}
    for row, column in there:
        if not np.isfinite(grid[row, column]):
            axes.text(column, row, "×", ha="center", va="center", fontsize=8, color=FAINT)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#D5DAE0", alpha=1)
    every = 1 if columns <= 24 else 2
    axes.set_xticks(
        range(0, columns, every), [str(i + 1) for i in range(0, columns, every)], fontsize=7.5
    )
    axes.set_yticks(range(0, rows, every), ROWS[:rows:every], fontsize=7.5)
    axes.xaxis.tick_top()
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _numbers(axes: Axes, grid: np.ndarray, low: float, high: float) -> None:
    """Write the numbers into their wells: colour alone gives no figure to quote."""
    known = grid[np.isfinite(grid)]
    whole = bool(np.all(known == np.round(known)))
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            level = (value - low) / max(high - low, 1e-9)
            text = f"{value:.0f}" if whole or abs(value) >= 100 else f"{value:.2g}"
            ink = INK if level > 0.5 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=6.2, color=ink)
