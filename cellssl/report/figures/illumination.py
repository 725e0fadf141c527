"""How evenly a plate was lit: what was divided out of its fields."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from cellssl.report.figures.style import bare, new_figure, styled

SIDE = 1.7  # inches


@styled
def illumination_figure(maps: Mapping[str, np.ndarray], channels: Sequence[str]) -> Figure:
    """Draw the illumination of plates (rows) and channels (columns), all with one colour scale.

    Parameters
    ----------
    maps : plate → (C, h, w) illumination with mean 1; at least one plate
    channels : C names
    """
    strength = max(float(np.abs(flat - 1).max()) for flat in maps.values())
    reach = max(round(strength + 0.005, 2), 0.05)
    figure = new_figure(SIDE * len(channels) + 1.9, (SIDE + 0.25) * len(maps) + 0.2)
    grid = figure.subplots(len(maps), len(channels), squeeze=False)
    for row, (plate, flat) in zip(grid, maps.items(), strict=True):
        for axes, channel, light in zip(row, channels, flat, strict=True):
            shown = axes.imshow(light, cmap="PuOr_r", vmin=1 - reach, vmax=1 + reach)
            axes.set_title(f"{channel}: {light.min():.2f} to {light.max():.2f}", fontsize=8.5)
            bare(axes)
        row[0].set_ylabel(plate)
    bar = figure.colorbar(shown, ax=grid, shrink=0.8)
    bar.set_label("times the mean")
    return figure
