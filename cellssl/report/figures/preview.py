"""What a protocol does to cells: operation by operation, then whole views."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cellssl.report.figures.composite import channel_colours, channel_legend, composite
from cellssl.report.figures.style import WIDEST, bare, literal, new_figure, styled

COLUMNS = 13  # pictures side by side, at most
GAP, BREAK = 2, 12  # white pixels between pictures, and between groups, of pictures of 64 px
MARGIN = 1.35  # inches for the rows' names
LINE = 0.135  # inches of a line of text
LETTERS = 17.0  # of 7 points in an inch


@dataclass(frozen=True)
class PreviewGroup:
    """Columns of pictures under one title.

    Parameters
    ----------
    title : an operation's name, say
    details : smaller, beneath
    columns : one name a column, above its pictures; may be empty text
    images : (columns, rows, C, H, W) floating-point values in [0, 1]
    """

    title: str
    details: str
    columns: tuple[str, ...]
    images: np.ndarray


@styled
def preview_figure(
    rows: Sequence[str],
    first: PreviewGroup,
    groups: Sequence[PreviewGroup],
    channels: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Draw rows of cells under groups of columns, in as many bands as the page's width asks for.

    Parameters
    ----------
    rows : names of the cells
    first : one column, repeated at the left of every band: the cells unchanged
    groups : the others, in order
    channels : names of the C channels
    title : of the whole figure
    """
    bands = [[first, *band] for band in _pack(groups, COLUMNS - 1)]
    size = max(group.images.shape[-1] for band in bands for group in band)
    width = max(_width(band, size) for band in bands)  # of all: bands begin at one line
    tile = min((WIDEST - MARGIN) * size / width, 0.9)
    heads = [_head(band, tile) for band in bands]
    heights = [tile * len(rows) + LINE * (head + 2) for head in heads]
    heights[0] += 3 * LINE * bool(title)
    figure = new_figure(MARGIN + tile * width / size, sum(heights) + 0.12 * len(bands) + 0.6)
    grid = figure.subplots(len(bands), 1, squeeze=False, height_ratios=heights)[:, 0]
    colours = channel_colours(channels)
    for axes, band in zip(grid, bands, strict=True):
        _draw_band(axes, band, rows, [colours[name] for name in channels], size, width, tile)
    if title:
        above = -size * LINE / tile * (heads[0] + 1)
        grid[0].text(0, above, literal(title), va="bottom", fontsize=10.5, weight="bold")
    channel_legend(figure, colours, loc="outside lower center")
    return figure


def _pack(groups: Sequence[PreviewGroup], columns: int) -> list[list[PreviewGroup]]:
    """Fill bands with whole groups, in order."""
    bands: list[list[PreviewGroup]] = [[]]
    for group in groups:
        used = sum(len(other.columns) for other in bands[-1])
        if bands[-1] and used + len(group.columns) > columns:
            bands.append([])
        bands[-1].append(group)
    return bands


def _gaps(size: int) -> tuple[int, int]:
    """Say how many white pixels lie between pictures of so many pixels, and between groups."""
    return max(GAP * size // 64, 1), max(BREAK * size // 64, 3)


def _width(band: Sequence[PreviewGroup], size: int) -> int:
    """Add up the pixels of a band."""
    gap, between = _gaps(size)
    return sum(len(group.columns) * (size + gap) + between for group in band) - between


def _wrapped(group: PreviewGroup, tile: float) -> tuple[str, str]:
    """Break a group's title and details to its width."""
    letters = max(int(LETTERS * tile * len(group.columns)), 8)
    title = group.title
    if " " in title:
        title = textwrap.fill(title, letters)
    elif len(title) > letters:
        title = title.replace("_", "_\n", 1)
    return title, textwrap.fill(group.details, letters)


def _head(band: Sequence[PreviewGroup], tile: float) -> int:
    """Count the lines above a band."""
    texts = ("\n".join(part for part in _wrapped(group, tile) if part) for group in band)
    return max(text.count("\n") + 1 for text in texts) + 1


def _draw_band(
    axes: Axes,
    band: Sequence[PreviewGroup],
    rows: Sequence[str],
    colours: list[tuple[float, float, float]],
    size: int,
    width: int,
    tile: float,
) -> None:
    """Lay the pictures of one band onto one canvas of `width` pixels."""
    gap, between = _gaps(size)
    step = size + gap
    canvas = np.ones((len(rows) * step, width, 3), np.float32)
    axes.imshow(canvas, interpolation="nearest")
    left = 0
    for group in band:
        start = left
        for name, images in zip(group.columns, group.images, strict=True):
            side = images.shape[-1]
            inset = (size - side) // 2
            for row, picture in enumerate(composite(images, colours)):
                top = row * step + inset
                canvas[top : top + side, left + inset : left + inset + side] = picture
            axes.text(left + size / 2, -gap, literal(name), ha="center", va="bottom", fontsize=7)
            left += step
        title, details = _wrapped(group, tile)
        line = size * LINE / tile
        above = -gap - line
        if details:
            axes.text(start, above, literal(details), va="bottom", fontsize=7, color="#52606D")
            above -= line * (details.count("\n") + 1)
        axes.text(start, above, literal(title), va="bottom", fontsize=7.5, weight="bold")
        left += between
    axes.images[0].set_data(canvas)
    axes.set_anchor("SW")  # all room that is left is above, where the titles are
    bare(axes)
    names = [textwrap.fill(literal(name), 18) for name in rows]
    axes.set_yticks([row * step + size / 2 for row in range(len(rows))], names, fontsize=7.5)
    axes.tick_params(length=0)
