"""Cut the cells of one field out of it."""

from dataclasses import dataclass

import cv2
import numpy as np

from cellssl.cells.quality.measures import measure_cells, measure_field, middle, saturation_level
from cellssl.cells.segmentation.labels import Labels
from cellssl.cells.segmentation.outside import find_outside

THIS, OTHER = 1, 2  # one more than this


@dataclass(frozen=True)
class FieldCells:
    """The n cells of a field whose window lies inside the image, in the order of their numbers.

    Attributes
    ----------
    images : ndarray
        (n, C, S, S) in the field's own type, the widest of its channels.
    masks : ndarray
        (n, M, S, S) uint8: 0 background, 1 this object, 2 others; M is 0 without masks, 1 for
        nuclei, 2 with cells.
    labels : ndarray
        (n,) int32 numbers in the label image.
    centers : ndarray
        (n, 2) float64 centroids of the nuclei: y, x.
    areas : ndarray
        (n, K) int64 pixels of each nucleus (K = 1) and cell (K = 2).
    quality : ndarray
        (n, 3 C) float32, see `cellssl.cells.quality.measures`.
    background, saturated : ndarray
        (C,) of the field.
    shape : ndarray
        (2,) height and width of the field.
    found : int
        Nuclei in the field, the cut off ones among them.
    transmitted : bool
        Whether the channel of nuclei looks as if light had passed through them.
    seconds : float
        How long it took.
    types : str
        The channels' types (``<u2``), one after the other where they differ; "" is that of `images`.
    """

    images: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    centers: np.ndarray
    areas: np.ndarray
    quality: np.ndarray
    background: np.ndarray
    saturated: np.ndarray
    shape: np.ndarray
    found: int
    transmitted: bool = False
    seconds: float = 0.0
    types: str = ""


def cut_cells(
    field: np.ndarray,
    labels: Labels,
    *,
    size: int,
    masks: bool = True,
    raw: np.ndarray | None = None,
) -> FieldCells:
    """Cut a window around every nucleus, dropping those whose window leaves the image, or what it shows.

    Parameters
    ----------
    field : ndarray
        (C, Y, X).
    labels : Labels
        The nuclei, perhaps the cells.
    size : int
        Height and width of the window in pixels, centred on the nucleus' centroid.
    masks : bool
        Whether to cut the masks too.
    raw : ndarray, optional
        (C, Y, X) as the camera gave it, before any correction: what quality is measured on.
    """
    raw = field if raw is None else raw
    stack = [labels.nuclei] if labels.cells is None else [labels.nuclei, labels.cells]
    numbers, centers = _find_centers(labels.nuclei)
    corners = np.floor(centers + 0.5).astype(np.int64) - size // 2
    height, width = field.shape[1:]
    outside = find_outside(raw[0])
    inside = (corners >= 0).all(axis=1) & (corners + size <= (height, width)).all(axis=1)
    inside &= ~_touches(outside, corners, size)
    most = numbers.max(initial=0)
    counts = [np.bincount(image[image > 0], minlength=most + 1) for image in stack]
    kept, places = numbers[inside], corners[inside]
    levels = [saturation_level(channel) for channel in raw]
    background, saturated = measure_field(raw, levels, outside=outside)
    within = middle(size)
    return FieldCells(
        images=_cut(field, places, size),
        masks=_cut_masks(stack[: len(stack) if masks else 0], kept, places, size),
        labels=kept.astype(np.int32),
        centers=centers[inside],
        areas=np.stack([count[kept] for count in counts], axis=1),
        quality=measure_cells(_cut(raw, places + within.start, within.stop - within.start), levels),
        background=background,
        saturated=saturated,
        shape=np.array([height, width]),
        found=len(numbers),
    )


def _find_centers(nuclei: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the nuclei of a label image (Y, X): their numbers (n,), their centroids (n, 2)."""
    inside = np.flatnonzero(nuclei > 0)
    number = nuclei.ravel()[inside].astype(np.intp)
    y, x = np.divmod(inside, nuclei.shape[1])
    counts = np.bincount(number)
    numbers = np.flatnonzero(counts)
    sums = [np.bincount(number, place, minlength=len(counts))[numbers] for place in (y, x)]
    return numbers, np.stack(sums, axis=1) / counts[numbers, None]


def _touches(mask: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """Say which windows (n, 2) hold a pixel of a mask (Y, X), as far as they lie in it."""
    if not mask.any():
        return np.zeros(len(corners), bool)
    sums = cv2.integral(mask.view(np.uint8))
    (top, left), (bottom, right) = (
        np.clip(ends, 0, mask.shape).T for ends in (corners, corners + size)
    )
    held: np.ndarray = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return held > 0


def _cut(field: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """Cut windows out of a field (C, Y, X): (n, C, size, size)."""
    images = np.empty((len(corners), len(field), size, size), field.dtype)
    for row, (y, x) in enumerate(corners):
        images[row] = field[:, y : y + size, x : x + size]
    return images


def _cut_masks(
    stack: list[np.ndarray], numbers: np.ndarray, corners: np.ndarray, size: int
) -> np.ndarray:
    """Cut label images (Y, X) into masks (n, M, size, size): this object, others, background."""
    masks = np.empty((len(numbers), len(stack), size, size), np.uint8)
    for layer, image in enumerate(stack):
        objects = OTHER * (image > 0).view(np.uint8)
        for row, (number, (y, x)) in enumerate(zip(numbers, corners, strict=True)):
            window = np.s_[y : y + size, x : x + size]
            np.subtract(objects[window], image[window] == number, out=masks[row, layer])
    return masks
