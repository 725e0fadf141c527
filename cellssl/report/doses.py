"""Dose curves: how far wells are from the negative control, or between both, against their dose."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cellssl.columns import COMPOUND, CONTROL, PLATE
from cellssl.errors import EmbeddingError
from cellssl.phenotypes import (
    choose_dose,
    dose_positions,
    dose_title,
    read_embedding,
    require_label,
)
from cellssl.phenotypes.columns import well_names
from cellssl.phenotypes.treatments.dose import FEWEST_DOSES, dose_series
from cellssl.report.figures.dose import dose_figure
from cellssl.report.figures.style import as_categories, label_colours

if TYPE_CHECKING:
    from anndata import AnnData


_LINES = 12  # more cannot be told apart


def dose_curve(
    embedding: "AnnData | str | Path",
    *,
    dose: str | None = None,
    by: str | None = None,
    control: str = CONTROL,
) -> Figure:
    """Draw how far wells are on the way from the negative to the positive control, against their dose.

    Parameters
    ----------
    embedding : AnnData or path
        As :func:`cellssl.evaluate` reads it; with negative controls. Without positive ones the distance
        from these is drawn, in any direction.
    dose : str, optional
        Numeric column of obs; one called dose or concentration when left out.
    by : str, optional
        Column whose values have a line each, ``"MOA"`` say; when left out compounds where there are
        several, else the rows of the plate.
    control : str
        Column that says ``negative``, and ``positive`` where there are such.

    Returns
    -------
    Figure
        With Spearman's ρ of each line. Controls are not drawn as wells: the axis is fitted to them.

    Raises
    ------
    EmbeddingError
        When a column, a control or all doses are missing.

    Examples
    --------
    >>> dose_curve("embedding.h5ad", by="MOA")  # doctest: +SKIP
    """
    cells = read_embedding(embedding)
    column = choose_dose(cells.obs, dose)
    if column is None:
        there = ", ".join(map(str, cells.obs.columns))
        raise EmbeddingError(
            f"no column called dose or concentration holds {FEWEST_DOSES} different numbers, of which some "
            f"compound has several (texts such as '0,1 µM' are none): give dose=…; there are: {there}."
        )
    positions = dose_positions(cells, column, control=control)
    lines = None if by is None else _well_values(cells.obs, positions, by)
    return position_curve(
        positions,
        dose=dose_title(cells.obs, column),
        lines=lines,
        colours=label_colours(cells.obs, by or COMPOUND),
    )


def position_curve(
    positions: pd.DataFrame,
    *,
    dose: str,
    lines: "pd.Series[str] | None" = None,
    colours: Mapping[str, str] | None = None,
) -> Figure:
    """Draw what `cellssl.phenotypes.dose_positions` gives: the wells that are no controls.

    Parameters
    ----------
    positions : DataFrame
        A row per well: line, dose, control, position, ….
    dose : str
        What the doses are, for the axis: see `cellssl.phenotypes.dose_title`.
    lines : Series, optional
        The line that each well belongs to, on the same index; that of `positions` when left out. Of
        more than twelve, those are drawn along which positions change most.
    colours : mapping, optional
        Line → colour, as `cellssl.report.figures.style.label_colours` gives them.
    """
    series = dose_series(positions)
    if series.empty:
        raise EmbeddingError(f"no well that is not a control has a dose in {dose}.")
    named = positions["line"] if lines is None else lines
    series = series.assign(line=as_categories(named.loc[series.index]))
    moves = series.groupby(["line", "dose"])["position"].mean().groupby("line").agg(np.ptp)
    shown = moves.nlargest(_LINES).index
    drawn = series[series["line"].isin(shown)]
    controls = {"one well of the negative control": 1.0}
    y_name = "distance from the negative control"
    if (positions["control"] == "positive").any():
        controls = {"negative control": 0.0, "positive control": 1.0}
        y_name = "position between negative (0) and positive control (1)"
    few = len(moves) <= _LINES
    title = "" if few else f"{_LINES} of {len(moves)}: those that change most with dose"
    return dose_figure(
        drawn, title=title, controls=controls, y_name=y_name, x_name=dose, colours=colours
    )


def _well_values(obs: pd.DataFrame, positions: pd.DataFrame, by: str) -> "pd.Series[str]":
    """Look a column up for each well, on the index of `positions`."""
    known = as_categories(obs[require_label(obs, by)]).groupby(np.asarray(well_names(obs))).first()
    wells = positions["well"]
    return (positions["plate"] + "/" + wells if PLATE in obs else wells).map(known)
