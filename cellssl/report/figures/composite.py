"""Channels → colours → one picture, in colours that colour-blind people can tell apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from cellssl.channels import NUCLEI, is_transmitted
from cellssl.report.figures.style import literal

Colour = tuple[float, float, float]
# Magenta and green for two; cyan, magenta, yellow for three (Jambor et al. 2021, PLoS Biol.
# 19:e3001161).
PALETTES: dict[int, tuple[Colour, ...]] = {
    1: ((1.0, 1.0, 1.0),),
    2: ((1.0, 0.2, 1.0), (0.2, 1.0, 0.2)),
    3: ((0.0, 0.75, 1.0), (1.0, 0.9, 0.1), (1.0, 0.15, 0.75)),
}
# Of four and more, most lie over one another in the cytoplasm: beside the nuclei's blue come hues
# that add up to grey, so that what one stain has alone still shows.
MANY: tuple[Colour, ...] = (
    (0.15, 0.35, 1.0),
    (0.1, 0.85, 0.2),
    (1.0, 0.5, 0.0),
    (1.0, 0.1, 0.75),
    (0.0, 0.75, 0.9),
    (0.65, 0.2, 1.0),
)
# Channels of a photograph are the colours that they are called by.
PHOTOGRAPH = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
UNMIXED = (0.0, 0.0, 0.0)  # adds nothing to a picture
_DNA = (*NUCLEI, "draq")  # DRAQ7 too: it shows dead cells alone, and is none to find nuclei by


def channel_colours(channels: Sequence[str]) -> dict[str, Colour]:
    """Choose one colour per channel; the DNA channel comes first, the others keep their order.

    Transmitted light beside other channels is `UNMIXED`: its bright ground would drown them.
    """
    if {name.lower() for name in channels} == set(PHOTOGRAPH):
        return {name: PHOTOGRAPH[name.lower()] for name in channels}
    mixed = [name for name in channels if not is_transmitted(name)] or list(channels)
    dna = [name for name in mixed if any(stain in name.lower() for stain in _DNA)]
    order = dna + [name for name in mixed if name not in dna]
    palette = PALETTES.get(len(order), MANY)
    colours = {name: palette[i % len(palette)] for i, name in enumerate(order)}
    return colours | {name: UNMIXED for name in channels if name not in colours}


def composite(images: np.ndarray, colours: Sequence[Colour]) -> np.ndarray:
    """Add channels up in their colours.

    Parameters
    ----------
    images : (..., C, H, W) floating-point values in [0, 1]
    colours : C red-green-blue triples in [0, 1], in the channels' order

    Returns
    -------
    (..., H, W, 3) float32 in [0, 1]
    """
    images = np.clip(np.nan_to_num(np.asarray(images, np.float32)), 0, 1)
    if images.shape[-3] != len(colours):
        raise ValueError(f"{images.shape[-3]} channels but {len(colours)} colours")
    mixed = np.einsum("...chw,ck->...hwk", images, np.asarray(colours, np.float32))
    # A pixel that is too bright keeps its hue: clipping each primary alone would turn
    # everything white.
    return mixed / np.maximum(1, mixed.max(axis=-1, keepdims=True))


def scale_bar(axes: Axes, shape: tuple[int, int], *, micrometres_per_pixel: float | None) -> None:
    """Draw a bar of a round length, at most a third of the width, at the lower left."""
    height, width = shape
    unit = micrometres_per_pixel or 1.0
    target = width * unit / 3
    power = 10.0 ** np.floor(np.log10(target))
    length = max(step * power for step in (1, 2, 5) if step * power <= target * 1.0001)
    name = f"{length:g} {'µm' if micrometres_per_pixel else 'px'}"
    left, bottom = width * 0.05, height * 0.94
    # A black rim keeps bar and number visible on bright cells.
    wide, narrow = ([withStroke(linewidth=breadth, foreground="black")] for breadth in (3.4, 1.8))
    look: dict[str, Any] = {"color": "white", "lw": 2, "solid_capstyle": "butt"}
    axes.plot([left, left + length / unit], [bottom, bottom], path_effects=wide, **look)
    at = (left, bottom - height * 0.03)
    axes.text(*at, name, color="white", fontsize=7, va="bottom", path_effects=narrow)


def channel_legend(target: Figure | Axes, colours: Mapping[str, Colour], **where: Any) -> None:
    """Name the channels beside their colours, in patches with a dark rim: white shows, too."""
    patches = []
    for name, colour in colours.items():
        label = literal(f"{name} (not mixed in)" if colour == UNMIXED else name)
        patches.append(Patch(facecolor=colour, edgecolor="#444", linewidth=0.6, label=label))
    target.legend(handles=patches, ncols=len(patches), **where)
