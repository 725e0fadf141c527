"""Pictures of cells and fields: what the clusters and the treatments look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries
from skimage.transform import downscale_local_mean

from cellssl.report.figures.composite import channel_colours, channel_legend, composite, scale_bar
from cellssl.report.figures.style import WIDEST, bare, literal, new_figure, new_panels, styled

GAP = 2  # white pixels between pictures
MONTAGE_COLUMNS, OUTLINE_COLUMNS = 3, 2
WINDOW = 420  # side in pixels of the part of a field whose outlines are shown
LETTER = 0.056  # inches a letter of the rows' and channels' names takes


@dataclass(frozen=True)
class GalleryRow:
    """One row of pictures.

    Parameters
    ----------
    name : what the row is, e.g. ``cluster 3``
    details : lines beneath the name, e.g. its commonest labels
    images : (n, C, H, W) floating-point values in [0, 1]; one at least
    """

    name: str
    details: tuple[str, ...]
    images: np.ndarray


class Overlay(NamedTuple):
    """What a segmenter saw and found in one field.

    Attributes
    ----------
    title
        Which field.
    image
        (Y, X), the channel it looked at, or (C, Y, X), of which the first is shown.
    labels
        (Y, X) integers: 0 for background, one number per object.
    """

    title: str
    image: np.ndarray
    labels: np.ndarray


@styled
def crop_gallery(
    rows: Sequence[GalleryRow],
    channels: Sequence[str],
    *,
    split: bool = True,
    micrometres_per_pixel: float | None = None,
) -> Figure:
    """Draw one row of cells per cluster in colour, and the first cell's channels alone in grey.

    Parameters
    ----------
    rows : at least one; all pictures of one size
    channels : names of the C channels
    split : also show the first cell channel by channel
    micrometres_per_pixel : for the scale bar; in pixels when not known
    """
    colours = channel_colours(channels)
    size = rows[0].images.shape[-1]
    alone = len(channels) if split and len(channels) > 1 else 0
    most = max(len(row.images) for row in rows)
    step = size + GAP
    width = (most + alone) * step + (4 * GAP if alone else 0)
    canvas = np.ones((len(rows) * step, width, 3), np.float32)
    for i, row in enumerate(rows):
        pictures = composite(row.images, [colours[name] for name in channels])
        _paste(canvas, pictures, i * step, 0)
        if alone:
            grey = np.repeat(np.clip(row.images[0], 0, 1)[..., None], 3, axis=-1)
            _paste(canvas, grey, i * step, most * step + 4 * GAP)
    names = [literal("\n".join([row.name, *row.details])) for row in rows]
    margin = 0.45 + LETTER * max(len(line) for name in names for line in name.splitlines())
    tile = min((WIDEST - margin) * step / width, 0.85)
    heads = [fill(name, max(int(tile / LETTER) - 1, 5)) for name in channels[:alone]]
    above = 0.2 + 0.13 * max((head.count("\n") for head in heads), default=0) if heads else 0
    figure = new_figure(margin + tile * width / step, tile * len(rows) + 0.45 + above)
    axes = figure.add_subplot()
    axes.imshow(canvas, interpolation="nearest")
    axes.set_anchor("SE")  # what room is left goes to the names
    bare(axes)
    axes.set_yticks([i * step + size / 2 for i in range(len(rows))], names, fontsize=7.5)
    axes.tick_params(length=0)
    for i, head in enumerate(heads):
        place = (most + i) * step + 4 * GAP + size / 2
        axes.text(place, -3, literal(head), ha="center", va="bottom", fontsize=7.5)
    scale_bar(axes, (size, size), micrometres_per_pixel=micrometres_per_pixel)
    channel_legend(figure, colours, loc="outside lower center")
    _make_room_above(figure, axes)
    return figure


def _make_room_above(figure: Figure, axes: Axes) -> None:
    """Enlarge a figure whose texts reach beyond its top: how the layout shares room is known when it is drawn."""
    figure.draw_without_rendering()
    tops = [text.get_window_extent().y1 for text in axes.texts]
    beyond = max(tops, default=0.0) - figure.bbox.y1
    if beyond > 0:
        figure.set_figheight(figure.get_figheight() + beyond / figure.dpi + 0.05)


def _paste(canvas: np.ndarray, pictures: np.ndarray, top: int, left: int) -> None:
    """Lay (n, H, W, 3) side by side into the canvas."""
    height, width = pictures.shape[1:3]
    for i, picture in enumerate(pictures):
        start = left + i * (width + GAP)
        canvas[top : top + height, start : start + width] = picture


@styled
def field_montage(
    fields: Mapping[str, np.ndarray],
    channels: Sequence[str],
    *,
    micrometres_per_pixel: float | None = None,
) -> Figure:
    """Draw whole fields side by side, channels in colour.

    Parameters
    ----------
    fields : title → (C, Y, X) floating-point values in [0, 1], scaled alike
    """
    colours = channel_colours(channels)
    first = next(iter(fields.values()))
    width = _width(len(fields), MONTAGE_COLUMNS)
    size = (width, width * first.shape[1] / first.shape[2] + 0.25)
    figure, panels = new_panels(len(fields), MONTAGE_COLUMNS, size=size, above=0.4)
    for axes, (title, pixels) in zip(panels, fields.items(), strict=True):
        # Pixels finer than the figure's would only alias.
        step = max(1, int(pixels.shape[-1] / (width * 110)))
        axes.imshow(
            composite(_reduced(pixels, step), [colours[name] for name in channels]),
            extent=(0, pixels.shape[2], pixels.shape[1], 0),
        )
        axes.set_title(literal(title), fontsize=8.5, weight="normal")
        scale_bar(axes, pixels.shape[1:], micrometres_per_pixel=micrometres_per_pixel)
        bare(axes)
    channel_legend(figure, colours, loc="outside lower center")
    return figure


def _width(count: int, columns: int) -> float:
    """Give the width of each picture in inches, of so many in at most so many columns."""
    return min(WIDEST / min(count, columns), 5.0)


def _reduced(pixels: np.ndarray, step: int) -> np.ndarray:
    """Average whole blocks of step × step pixels."""
    height, width = (side - side % step for side in pixels.shape[1:])
    return downscale_local_mean(pixels[:, :height, :width], (1, step, step))


@styled
def outline_figure(
    overlays: Sequence[tuple[str, np.ndarray, np.ndarray]],
    *,
    micrometres_per_pixel: float | None = None,
) -> Figure:
    """Draw the outlines that a segmenter found over the pixels it saw.

    Of each field the window with the median share of object pixels is shown, small enough for outlines
    to be judged pixel by pixel.

    Parameters
    ----------
    overlays : (title, image, labels) of each field, see `Overlay`
    """
    width = _width(len(overlays), OUTLINE_COLUMNS)
    figure, panels = new_panels(len(overlays), OUTLINE_COLUMNS, size=(width, width + 0.3))
    for axes, (title, image, labels) in zip(panels, overlays, strict=True):
        seen = image[0] if image.ndim == 3 else image
        if seen.shape != labels.shape:
            raise ValueError(
                f"image {seen.shape} and labels {labels.shape} of {title!r} differ in shape"
            )
        _outline(axes, title, seen, labels)
        shown = (min(WINDOW, seen.shape[0]), min(WINDOW, seen.shape[1]))
        scale_bar(axes, shown, micrometres_per_pixel=micrometres_per_pixel)
        bare(axes)
    return figure


def _outline(axes: Axes, title: str, image: np.ndarray, labels: np.ndarray) -> None:
    part = _typical_part(labels)
    pixels = image[part].astype(np.float32)
    low, high = np.percentile(image, (1, 99.7))
    # The square root shows dim nuclei, which are those that a segmenter misses.
    grey = np.sqrt(np.clip((pixels - low) / max(float(high - low), 1e-9), 0, 1))
    picture: np.ndarray = np.repeat(grey[..., None], 3, axis=-1)
    edges = find_boundaries(labels[part], mode="outer" if min(picture.shape[:2]) > 200 else "inner")
    picture[edges] = np.array([1.0, 0.62, 0.0])
    axes.imshow(picture, interpolation="nearest")
    whole = len(np.unique(labels[labels > 0]))
    axes.set_title(
        literal(f"{title}: {whole:,} objects in the field"), fontsize=8.5, weight="normal"
    )


def _typical_part(labels: np.ndarray) -> tuple[slice, slice]:
    """Find the window with the median share of objects: neither the best nor the worst."""
    tops, lefts = (range(0, max(side - WINDOW, 0) + 1, WINDOW // 2) for side in labels.shape)
    parts = [
        (slice(top, top + WINDOW), slice(left, left + WINDOW)) for top in tops for left in lefts
    ]
    covered = [float((labels[part] > 0).mean()) for part in parts]
    return parts[int(np.argsort(covered, kind="stable")[len(parts) // 2])]
