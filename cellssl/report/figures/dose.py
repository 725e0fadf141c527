"""Position in the embedding against dose."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellssl.phenotypes.treatments.dose import spearman
from cellssl.report.figures.style import (
    DASHED,
    OKABE_ITO,
    brief,
    literal,
    natural_order,
    new_figure,
    styled,
)
from cellssl.words import number

MARKERS = "os^Dv<>P"
COLOURS = OKABE_ITO[:6]  # the seventh, yellow, is faint as a line


@styled
def dose_figure(
    wells: pd.DataFrame,
    *,
    controls: Mapping[str, float] | None = None,
    x_name: str = "dose",
    y_name: str = "position",
    colours: Mapping[str, str] | None = None,
    title: str = "",
) -> Figure:
    """Draw positions against doses, a line per row or compound, with Spearman's ρ of each.

    Parameters
    ----------
    wells : dose, position, and the line that each well belongs to
    controls : name → position, drawn as dashed lines
    colours : line → colour, as other figures have it; by their order where a line has none
    """
    table = wells.dropna(subset=["dose", "position"])
    figure = new_figure(8.2, 4.4)
    axes = figure.add_subplot()
    names = natural_order(table["line"])
    if not colours or not set(names) <= set(colours):
        colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    for i, name in enumerate(names):
        look = {"color": colours[name], "marker": MARKERS[(i + i // len(COLOURS)) % len(MARKERS)]}
        _draw_line(axes, name, table[table["line"] == name].sort_values("dose"), look)
    for control, value in (controls or {}).items():
        axes.axhline(value, **DASHED)
        text = axes.text(1.0, value, literal(control), transform=axes.get_yaxis_transform())
        text.set(va="bottom", ha="right", fontsize=8)
    _scale_doses(axes, table["dose"])
    axes.set_xlabel(literal(x_name))
    axes.set_ylabel(y_name)
    axes.grid(axis="y")
    axes.set_title(
        literal(title or f"All wells together: Spearman ρ = {_rho(table)} (n = {len(table)})")
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _draw_line(axes: Axes, name: str, wells: pd.DataFrame, look: dict[str, Any]) -> None:
    """Draw wells as pale marks, the mean at each dose as a line."""
    line = wells.groupby("dose")["position"].mean()
    label = f"{brief(name)}   ρ = {_rho(wells)}  (n = {len(wells)})"
    axes.plot(wells["dose"], wells["position"], ls="", ms=4, alpha=0.45, **look)
    axes.plot(line.index, line, ms=5, lw=1.4, label=label, **look)


def _rho(wells: pd.DataFrame) -> str:
    """Write Spearman's ρ of dose and position."""
    rho = spearman(wells)
    return "not defined" if np.isnan(rho) else number(rho)


def _scale_doses(axes: Axes, doses: "pd.Series[float]") -> None:
    """Use a logarithmic axis where doses span more than a factor of ten, linear near zero."""
    positive = doses[doses > 0]
    if len(positive) and positive.max() / positive.min() > 10:
        if (doses <= 0).any():
            axes.set_xscale("symlog", linthresh=float(positive.min()))
        else:
            axes.set_xscale("log")
