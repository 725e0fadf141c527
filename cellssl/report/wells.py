"""One number a well, on the plate: how many cells, how much of something, which share of them."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cellssl.columns import PLATE, WELL, bare_name
from cellssl.crops import Crops
from cellssl.crops.layout import holds_crops
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import read_embedding, require_label
from cellssl.phenotypes.columns import cell_counts
from cellssl.report.figures.plate import control_marks, plate_map, shape_of
from cellssl.report.figures.style import as_categories, natural_order

if TYPE_CHECKING:
    from anndata import AnnData


COUNT = "cells"


def plate_heat_map(
    embedding: "AnnData | Crops | pd.DataFrame | str | Path",
    value: str = COUNT,
    *,
    equals: str | None = None,
    plate: str | None = None,
    limits: tuple[float, float] | None = None,
    shape: tuple[int, int] | None = None,
) -> Figure:
    """Draw one number per well where it lies on the plate, to see edges, gradients and empty wells.

    Parameters
    ----------
    embedding : AnnData, Crops, DataFrame or path
        Cells with Metadata_Well: an embedding, crops, the file of either, or the table (``obs``) of either.
    value : str
        ``"cells"``: how many there are (of profiles how many they stand for); else a numeric column, with or
        without ``Metadata_``, of which the median is drawn.
    equals : str, optional
        Draw which share of a well's cells has this value instead: ``value="leiden", equals="3"``.
    plate : str, optional
        Which plate; may be left out when there is one.
    limits : (float, float), optional
        Ends of the colour scale, so that plates can be compared; the plate's own when left out.
    shape : (int, int), optional
        Rows and columns of the plate; what the wells of all plates here show when left out.

    Returns
    -------
    Figure
        Controls are marked − and + where Metadata_Control says so.

    Raises
    ------
    EmbeddingError
        When there is no such plate, column or value, there are no wells, or no numbers.

    Examples
    --------
    >>> plate_heat_map("embedding.h5ad", "leiden", equals="3", plate="Week1")  # doctest: +SKIP
    """
    obs = _table(embedding)
    if WELL not in obs:
        raise EmbeddingError("the cells name no wells (Metadata_Well): there is no plate to draw.")
    shape = shape or shape_of(obs[WELL].unique())
    rows, name = _one_plate(obs, plate)
    numbers, unit = _measure(obs, value, equals)
    obs, numbers = obs[rows], numbers[rows]
    by_well = numbers.groupby(obs[WELL].astype(str).to_numpy())
    drawn = by_well.sum() if value == COUNT else by_well.mean() if equals else by_well.median()
    return plate_map(
        drawn, title=name, unit=unit, marks=control_marks(obs), limits=limits, shape=shape
    )


def _table(cells: "AnnData | Crops | pd.DataFrame | str | Path") -> pd.DataFrame:
    """Give what is known of cells, whatever holds them."""
    if isinstance(cells, pd.DataFrame):
        return cells
    if isinstance(cells, str | Path) and holds_crops(cells):
        cells = Crops.open(cells)
    return cells.obs if isinstance(cells, Crops) else read_embedding(cells).obs


def _one_plate(obs: pd.DataFrame, plate: str | None) -> tuple[np.ndarray, str]:
    """Say which cells (N,) are of the one plate, and its name."""
    if PLATE not in obs:
        if plate is not None:
            raise EmbeddingError(
                f"the cells name no plates (Metadata_Plate), so none is {plate!r}."
            )
        return np.ones(len(obs), bool), ""
    plates = as_categories(obs[PLATE])
    there = natural_order(plates)
    if plate is None and len(there) == 1:
        plate = there[0]
    if plate is None or str(plate) not in there:
        said = "which plate?" if plate is None else f"no plate {plate!r};"
        raise EmbeddingError(f"{said} there are: {', '.join(there)}. Give plate=…")
    return (plates == str(plate)).to_numpy(), str(plate)


def _measure(obs: pd.DataFrame, value: str, equals: str | None) -> tuple["pd.Series[float]", str]:
    """Give a number for each cell (N,), and what it is."""
    if value == COUNT:
        if equals is not None:
            raise EmbeddingError(f"equals={equals!r} needs a column: give value=…")
        return pd.Series(cell_counts(obs).astype(float), index=obs.index), COUNT
    column = require_label(obs, value)
    shown = bare_name(column)
    if equals is not None:
        names = as_categories(obs[column])
        if str(equals) not in set(names):
            there = ", ".join(natural_order(names)[:20])
            raise EmbeddingError(f"{column}: no cell has {equals!r}; there are: {there}.")
        return (names == str(equals)).astype(float), f"share of cells with {shown} = {equals}"
    numbers = pd.to_numeric(obs[column], errors="coerce").astype(float)
    if not np.isfinite(numbers).any():
        raise EmbeddingError(
            f"{column} holds no numbers to take the median of; equals=… draws the share of one value."
        )
    return numbers, f"median {shown}"
